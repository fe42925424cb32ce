/** True if both are the same. Takes as long for a wrong text as for the right one, so its duration gives no letter away. */
export function sameSecret(given: string, secret: string): boolean {
  let difference = given.length ^ secret.length;
  for (let index = 0; index < given.length; index++) {
    difference |= given.charCodeAt(index) ^ secret.charCodeAt(index % Math.max(1, secret.length));
  }
  return difference === 0;
}
