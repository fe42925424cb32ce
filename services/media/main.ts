import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mediaContract } from '#firmware/contract/media.ts';
import { pageSound } from '#firmware/contract/page-sound.ts';
import { randomToken } from '#firmware/core/entropy.ts';
import { ResourceError } from '#firmware/core/errors.ts';
import { MediaEngine, type MediaEvent } from '#firmware/media/media-engine.ts';
import { runDaemon, socketPathOf } from '#firmware/platform/daemon.ts';
import { hurry } from '#firmware/platform/priority.ts';
import { contractCheck } from '#firmware/platform/self-checks.ts';
import { type ServedContract, serveContract } from '#firmware/platform/unix-socket.ts';
import { openAudioDevice } from '#hal/audio/audio-devices.ts';
import { cardsFingerprint } from '#hal/audio/sound-cards.ts';
import { listSoundDevices } from '#hal/audio/sound-list.ts';
import { DeviceSet } from './device-set.ts';
import { EngineDriver } from './engine-driver.ts';
import { MediaService } from './media-service.ts';
import { PageSoundPort } from './page-sound-port.ts';
import { Paging } from './paging.ts';
import { Recordings } from './recordings.ts';
import { SoundCheck } from './sound-check.ts';

/** As systemd's unit has it: packets leave on time while other daemons are busy. */
const niceness = -10;

/** Sound devices, RTP and tones. Shares its event loop with nothing: the next packet is never more than 20 ms away. */
await runDaemon('media', async (daemon) => {
  const { runtimeDirectory, stateDirectory, clock, entropy, logger } = daemon;
  // Before any sound card's process is started, which has to be as quick.
  const priority = hurry(niceness);
  if (!priority.granted) logger.info('priority-not-granted', { niceness: priority.niceness, wanted: niceness });
  let served: ServedContract<typeof mediaContract> | undefined;
  const settings = { country: '', jitterBuffer: { minimum: 20, start: 60, maximum: 200 }, silenceSeconds: 0 };
  // A CNAME that says nothing about the person (RFC 7022 §4.2).
  const engine = new MediaEngine(entropy, randomToken(entropy, 16), settings);
  const driver = new EngineDriver(engine, {
    clock,
    entropy,
    logger,
    onEvent: (event) => emit(served, event),
    onHandshake: (session, outcome) => {
      if (outcome.kind === 'secured') served?.emit('secured', { session, suite: outcome.suite });
      else served?.emit('securityFailed', { session, reason: outcome.reason });
    },
    onWay: (session, outcome) => {
      if (outcome.kind === 'connected') served?.emit('connected', { session, local: outcome.local, remote: outcome.remote });
      else served?.emit('notConnected', { session, reason: outcome.reason, final: outcome.final });
    },
    onIdle: () => devices.rest(),
    onStatistics: (sessions) => served?.emit('statistics', { sessions: [...sessions] }),
  });
  const soundProgram = fileURLToPath(new URL(`../sound/main${extname(import.meta.url)}`, import.meta.url));
  const devices = new DeviceSet(engine, {
    open: (spec) => openAudioDevice(spec, { clock, soundProgram }),
    cards: cardsFingerprint,
    clock,
    logger,
    onFrame: (ms) => driver.frame(ms),
    onChange: (device, health) => served?.emit('deviceChanged', { device, ...health }),
  });
  devices.start();
  daemon.onStop('sound devices', () => devices.stop());
  const soundCheck = new SoundCheck({ engine, devices, list: () => listSoundDevices(soundProgram) });
  const recordings = new Recordings({
    directory: join(stateDirectory, 'recordings'),
    clock,
    logger,
    onEnded: (session, name, reason, detail) => {
      engine.sessions.get(session)?.stopRecording();
      served?.emit('recordingEnded', { session, name, reason, ...(detail !== undefined && { detail: detail.slice(0, 512) }) });
    },
  });
  await recordings.recover();
  const paging = new Paging({
    engine,
    driver,
    clock,
    logger,
    wake: () => devices.wake(),
    onBegan: (group, source) => served?.emit('pageBegan', { group, source }),
    onEnded: (group) => served?.emit('pageEnded', { group }),
    onRefused: (group, packets) => served?.emit('pageRefused', { group, packets }),
  });
  const service = new MediaService({ engine, driver, devices, soundCheck, recordings, paging, priority, clock, logger });
  daemon.onStop('sessions', () => service.stop());
  const socketPath = socketPathOf(runtimeDirectory, 'media');
  served = await serveContract(socketPath, mediaContract, service.commands, {
    role: 'media',
    clock,
    logger,
    onPeerUp: (caller) => service.peerUp(caller),
    onPeerLost: (caller) => service.peerLost(caller),
  });
  daemon.onStop('media socket', () => served?.stop());
  const pages = new PageSoundPort(devices, clock, logger);
  await pages.listen(socketPathOf(runtimeDirectory, pageSound.socket));
  daemon.onStop('page sound', () => pages.stop());
  let framesBefore = -1;
  daemon.addHealthCheck('frames', () => {
    const before = framesBefore;
    framesBefore = driver.framesMoved;
    if (framesBefore === before && !devices.resting) throw new ResourceError('no sound moves');
  });
  daemon.addHealthCheck('socket', contractCheck(socketPath, mediaContract, daemon));
});

function emit(served: ServedContract<typeof mediaContract> | undefined, event: MediaEvent): void {
  switch (event.kind) {
    case 'digit':
      served?.emit('digit', { session: event.session, digit: event.digit, durationMs: event.durationMs, way: event.way });
      return;
    case 'rtpSilence':
      served?.emit('rtpSilence', { session: event.session, seconds: event.seconds });
      return;
    case 'playbackEnded':
      served?.emit('playbackEnded', { playback: event.playback, completed: event.completed });
      return;
    default:
      event satisfies never;
  }
}
