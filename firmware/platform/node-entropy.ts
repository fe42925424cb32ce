import { randomBytes } from 'node:crypto';
import type { Entropy } from '../core/entropy.ts';

/** The kernel's random numbers. */
export const nodeEntropy: Entropy = { bytes: (length) => randomBytes(length) };
