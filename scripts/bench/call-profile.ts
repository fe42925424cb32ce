/** What kind of call is measured, on both sides of it. */
export interface CallProfile {
  readonly name: string;
  /** Settings of our phone. */
  readonly settings: Readonly<Record<string, string>>;
  /** baresip's: samples a second of its sound, its modules beside those for files, and what its account says. */
  readonly rivalRate: number;
  readonly rivalModules: readonly string[];
  readonly rivalAccount: string;
}

/** Plain telephony: nothing but the codec. */
export const plainG711: CallProfile = {
  name: 'G.711',
  settings: { 'rtp.codecs': 'PCMU' },
  rivalRate: 8000,
  rivalModules: ['g711'],
  rivalAccount: 'audio_codecs=pcmu',
};
