import type { RingName } from '../core/ring-names.ts';
import type { Tone, ToneStep } from './tone.ts';

/**
 * Melodies of the bell in the text form that telephones know (RTTTL): defaults for duration, octave and beats a minute, then notes, each with
 * what differs. Tunes nobody owns: the clock of Westminster (1793), Beethoven (1824, 1810), a cuckoo; the others are our own.
 */
const melodies: Readonly<Record<Exclude<RingName, 'ring'>, string>> = {
  classic: 'd=32,o=6,b=120:c,e,c,e,c,e,c,e,c,e,c,e,c,e,c,e,c,e,c,e,c,e,c,e,c,e,c,e,c,e,c,e,1p',
  chime: 'd=4,o=5,b=80:2e,2c,1p',
  westminster: 'd=4,o=5,b=72:e,d,c,2g4,p,c,d,e,2c,1p',
  ode: 'd=4,o=5,b=144:e,e,f,g,g,f,e,d,c,c,d,e,e.,8d,2d,1p',
  elise: 'd=8,o=5,b=112:e,d#,e,d#,e,b4,d,c,4a4,p,c4,e4,a4,4b4,p,1p',
  cuckoo: 'd=4,o=5,b=120:g,2d#,p,g,2d#,1p',
  alarm: 'd=16,o=6,b=140:a,p,a,p,a,p,a,4p',
};

/** Half tones above the C below. */
const steps = new Map([...'c d ef g a b'].map((note, index) => [note, index]));
const pattern = /^(\d{1,2})?([a-gp])(#)?(\.)?(\d)?(\.)?$/;
/** A note sounds for so much of its time, so that two of the same are two. */
const legato = 0.9;

/** The melody of that name, which begins anew when it is over. */
export function melodyOf(name: Exclude<RingName, 'ring'>): Tone {
  return { once: [], repeat: parseMelody(melodies[name]) };
}

/** Reads a melody of the form `d=4,o=5,b=120:c,8e,g.`; RangeError says which note is none. @internal */
export function parseMelody(text: string): ToneStep[] {
  const [defaults = '', notes = ''] = text.split(':');
  const given = new Map(defaults.split(',').map((pair) => pair.split('=') as [string, string]));
  const whole = (4 * 60_000) / Number(given.get('b') ?? 63);
  return notes.split(',').flatMap((note) => {
    const [, length, name = 'p', sharp, dot, octave, lateDot] = pattern.exec(note) ?? [];
    const ms = (whole / Number(length ?? given.get('d') ?? 4)) * ((dot ?? lateDot) ? 1.5 : 1);
    if (!pattern.test(note) || !(ms > 0 && ms < 60_000)) throw new RangeError(`${note} is no note`);
    if (name === 'p') return [{ frequencies: [], ms }];
    const halfTones = (steps.get(name) ?? 0) + (sharp ? 1 : 0) - 9 + 12 * (Number(octave ?? given.get('o') ?? 6) - 4);
    const frequency = Math.round(440 * 2 ** (halfTones / 12));
    // An octave above, it is not as thin as a test tone.
    return [
      { frequencies: [frequency, 2 * frequency], ms: Math.round(ms * legato) },
      { frequencies: [], ms: Math.round(ms * (1 - legato)) },
    ];
  });
}
