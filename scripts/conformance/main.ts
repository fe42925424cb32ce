import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { conformancePage } from './page.ts';

/** Writes firmware/sip/README.md anew. */
writeFileSync(join(import.meta.dirname, '../../firmware/sip/README.md'), conformancePage());
