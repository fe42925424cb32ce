/** Labels of the chips that carry the BCM pins of the 40-pole header: Raspberry Pi Zero to 3, 4, 5 (by its RP1). */
const headerLabels: ReadonlySet<string> = new Set(['pinctrl-bcm2835', 'pinctrl-bcm2711', 'pinctrl-rp1']);

/** The chip of the header, by its label; a board that is no Raspberry Pi may have exactly one chip, which is then meant. */
export function headerChipOf<Chip extends { readonly label: string }>(chips: readonly Chip[]): Chip | undefined {
  return chips.find(({ label }) => headerLabels.has(label)) ?? (chips.length === 1 ? chips[0] : undefined);
}
