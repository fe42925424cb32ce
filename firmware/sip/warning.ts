import type { Message } from './message/message.ts';
import { displayText } from './message/text.ts';

const textAtMost = 120;

/** RFC 3261 §20.43: the texts of the Warning headers, for people; `undefined` when there are none. Codes and agents say nothing to them. */
export function warningOf(message: Message): string | undefined {
  const texts = message.headerValues('Warning').flatMap((value) => textOf(value) ?? []);
  return texts.length > 0 ? texts.join(', ').slice(0, textAtMost) : undefined;
}

/** `399 host "text"`: what stands between the first quote and the last. */
function textOf(value: string): string | undefined {
  const [start, end] = [value.indexOf('"'), value.lastIndexOf('"')];
  const text =
    end > start
      ? displayText(value.slice(start + 1, end).replaceAll('\\', ''))
          .replaceAll(/\p{Cc}/gu, '')
          .trim()
      : '';
  return text === '' ? undefined : text;
}
