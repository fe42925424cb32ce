import { pageSound, pageSoundClosings } from '#firmware/contract/page-sound.ts';
import type { WorkerNews, WorkerTask } from './sound-report.ts';

/** Sound on its way to a phone that does not read, bytes: half a second. */
const waitingAtMost = 25 * pageSound.frameBytes;
const retryMs = 1_000;
const finalCodes: ReadonlySet<number> = new Set(Object.values(pageSoundClosings));

addEventListener('message', ({ data }: MessageEvent<WorkerTask>) => carry(data), { once: true });

/** The WebSocket of the page's sound, apart from the page: between it and the audio thread. What is lost is tried again. */
function carry({ url, page, worklet }: WorkerTask): void {
  let socket: WebSocket | undefined;
  let on = false;
  const tell = (news: WorkerNews) => page.postMessage(news);
  const open = (address: string) => {
    socket = new WebSocket(address);
    socket.binaryType = 'arraybuffer';
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer | string>) => {
      if (typeof data !== 'string') return worklet.postMessage(data, [data]);
      on = true;
      tell({ kind: 'on' });
    };
    socket.onclose = ({ code, reason }) => {
      on = false;
      if (finalCodes.has(code)) return tell({ kind: 'closed', code, reason });
      tell({ kind: 'lost' });
      // Whoever has taken it over meanwhile is not interrupted.
      setTimeout(() => open(url), retryMs);
    };
  };
  worklet.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
    if (on && socket && socket.bufferedAmount <= waitingAtMost) socket.send(data);
  };
  page.onmessage = ({ data }: MessageEvent<{ takeOver: boolean }>) => open(data.takeOver ? `${url}&takeOver=yes` : url);
}
