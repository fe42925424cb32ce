export function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/** How wide a text is at most, in the font of the diagram. */
function textWidth(text: string, size: number): number {
  return (
    [...text].reduce(
      (sum, character) => sum + (/[il.,:;'|!()j “”]/.test(character) ? 0.4 : /[A-ZmwMW%—]/.test(character) ? 0.8 : 0.62),
      0,
    ) * size
  );
}

/** Lines that fit into `width`. A word that is longer than a line is broken. */
export function wrapText(text: string, width: number, size: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/).flatMap((whole) => broken(whole, width, size))) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (textWidth(longer, size) <= width) line = longer;
    else {
      lines.push(line);
      line = word;
    }
  }
  return line === '' ? lines : [...lines, line];
}

function broken(word: string, width: number, size: number): string[] {
  const pieces: string[] = [];
  let piece = '';
  for (const character of word) {
    if (piece !== '' && textWidth(piece + character, size) > width) {
      pieces.push(piece);
      piece = '';
    }
    piece += character;
  }
  return piece === '' ? pieces : [...pieces, piece];
}
