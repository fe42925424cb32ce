/** Whether `identity`, `vendor:product` in hexadecimal with or without a further part, means this device. Case does not count. */
export function isIdentityOf(
  identity: string,
  device: { readonly vendorId: number; readonly productId: number },
  furtherParts: readonly (string | undefined)[],
): boolean {
  const wanted = identity.toLowerCase();
  const short = `${hexadecimal(device.vendorId)}:${hexadecimal(device.productId)}`;
  return wanted === short || furtherParts.some((part) => part !== undefined && part !== '' && wanted === `${short}:${part.toLowerCase()}`);
}

function hexadecimal(value: number): string {
  return value.toString(16).padStart(4, '0');
}
