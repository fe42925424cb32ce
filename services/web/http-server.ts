import { existsSync } from 'node:fs';
import fastifyStatic from '@fastify/static';
import fastifyWebsocket from '@fastify/websocket';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { ResultOf } from '#firmware/contract/contract.ts';
import type { PhoneStatus, phoneContract } from '#firmware/contract/phone.ts';
import type { Clock } from '#firmware/core/clock.ts';
import { LimitedLog } from '#firmware/core/counters.ts';
import { messageOf, UsageError } from '#firmware/core/errors.ts';
import type { Logger } from '#firmware/core/logger.ts';
import { Access, accessCookie, bearerOf, type RequestFacts, TryLimit, tooManyTries } from './access.ts';
import { Feed } from './feed.ts';
import type { PageSound } from './page-sound.ts';
import { openRecording } from './recording-download.ts';

/** What the web service asks of the phone; throws UsageError for refusals, anything else when the phone does not answer. */
export interface PhoneCommands {
  command(name: string, args: object): Promise<unknown>;
  readonly status: PhoneStatus | undefined;
}

export interface HttpServerOptions {
  readonly address: string;
  readonly port: number;
  /** Empty: only the machine itself is served. */
  readonly token: string;
  /** The built pages. */
  readonly pages: string;
  readonly phone: PhoneCommands;
  readonly sound: PageSound;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface HttpServer {
  readonly port: number;
  /** Sends the newest snapshot to every open page. */
  publish(status: PhoneStatus | undefined): void;
  stop(): Promise<void>;
}

/** Commands a page may read with GET and give with POST. Secrets stay masked: `reveal` is not to be had from here. */
const readable = new Set(['status', 'callLog', 'doorLog', 'ladders', 'texts', 'soundDevices', 'recordings', 'listSettings', 'board']);
const writable = new Set([
  ...[
    'call',
    'accept',
    'hangup',
    'digit',
    'hold',
    'resume',
    'transfer',
    'conference',
    'setLevel',
    'handsFree',
    'testSound',
    'play',
    'stopPlaying',
    'record',
    'page',
    'stopPage',
    'deleteRecording',
    'redial',
    'setDoNotDisturb',
    'actuate',
    'learn',
    'keepBoard',
    'clearMissed',
    'message',
    'composing',
    'pickUp',
    'join',
    'completeCall',
    'markTextsRead',
    'changeSettings',
  ],
]);

const bodyAtMost = 64 * 1024;
const policy = "default-src 'self'; img-src 'self' data:; style-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'";

/** Serves pages, REST and the live feed on one TCP port. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const app = fastify({
    bodyLimit: bodyAtMost,
    forceCloseConnections: true,
    requestTimeout: 10_000,
    routerOptions: { maxParamLength: 64 },
  });
  const access = new Access(options.token);
  const feed = new Feed(() => options.phone.status);
  const log = new LimitedLog(options.logger);
  await app.register(fastifyWebsocket, { options: { maxPayload: 1024 } });
  if (existsSync(options.pages)) await app.register(fastifyStatic, { root: options.pages });

  app.addHook('onRequest', async (request, reply) => {
    reply.header('content-security-policy', policy).header('x-content-type-options', 'nosniff').header('referrer-policy', 'no-referrer');
    if (!isGuarded(request)) return;
    const verdict = access.judge(options.clock.now(), factsOf(request));
    if (verdict.allowed) return;
    log.warn(options.clock.now(), 'web-request-refused', { from: request.ip, statusCode: verdict.statusCode, reason: verdict.reason });
    await refuse(reply, verdict.statusCode, verdict.reason);
  });
  app.setErrorHandler(async (error, _request, reply) => await refuse(reply, statusCodeOf(error), messageOf(error)));
  app.setNotFoundHandler(async (_request, reply) => await refuse(reply, 404, 'there is no such page'));
  addLogIn(app, access, options.clock);
  addCommands(app, options.phone);
  addAlerts(app, options);
  addWiring(app, options.phone);
  addRecordings(app, options.phone);
  app.get('/api/feed', { websocket: true }, (socket) => feed.add(socket));
  addSound(app, options.sound);

  const stopBeat = feed.startBeat();
  await app.listen({ host: options.address, port: options.port });
  const bound = app.server.address();
  return {
    port: typeof bound === 'object' && bound ? bound.port : options.port,
    publish: (status) => feed.publish(status),
    stop: async () => {
      stopBeat();
      feed.close();
      options.sound.close();
      await app.close();
    },
  };
}

/** The page itself holds no secret; the log-in and the alerts check their own token. */
function isGuarded(request: FastifyRequest): boolean {
  const path = request.routeOptions.url ?? request.url;
  return path.startsWith('/api/') && path !== '/api/login' && path !== '/api/alerts/:name';
}

function addLogIn(app: FastifyInstance, access: Access, clock: Clock): void {
  app.post('/api/login', async (request, reply) => {
    const token = textOf(request.body, 'token');
    const verdict = access.judgeToken(clock.now(), request.ip, token);
    if (!verdict.allowed) return await refuse(reply, verdict.statusCode, verdict.reason);
    reply.header('set-cookie', `${accessCookie}=${encodeURIComponent(token)}; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000`);
    return {};
  });
}

function addCommands(app: FastifyInstance, phone: PhoneCommands): void {
  app.get<{ Params: { command: string }; Querystring: Record<string, string> }>('/api/:command', async (request, reply) => {
    const { command } = request.params;
    if (!readable.has(command)) return await refuse(reply, 404, `there is nothing to read at ${command}`);
    return await phone.command(command, readArguments(command, request.query));
  });
  app.post<{ Params: { command: string } }>('/api/:command', async (request, reply) => {
    const { command } = request.params;
    if (!writable.has(command)) return await refuse(reply, 404, `there is no command ${command}`);
    return await phone.command(command, objectOf(request.body));
  });
}

/** `GET /api/wiring`: the board of this phone as a drawing. What draws it is loaded only now. */
function addWiring(app: FastifyInstance, phone: PhoneCommands): void {
  app.get('/api/wiring', async (_request, reply) => {
    const answer = await phone.command('board', {});
    const { wiringDiagram } = await import('#hal/wiring/wiring-diagram.ts');
    const { profile } = answer as ResultOf<typeof phoneContract, 'board'>;
    return await reply.type('image/svg+xml').send(wiringDiagram(profile));
  });
}

/** `/api/sound`: as a WebSocket the sound of the page that asks for it, `?takeOver=yes` from another one; plainly, who has it. */
function addSound(app: FastifyInstance, sound: PageSound): void {
  app.route<{ Querystring: Record<string, string> }>({
    method: 'GET',
    url: '/api/sound',
    handler: async () => sound.describe(),
    wsHandler: (socket, { ip, query }) => sound.add(socket, { from: ip, page: query.page ?? '', takeOver: query.takeOver === 'yes' }),
  });
}

/** `POST /api/alerts/NAME` with the alert's own token, as a bearer or in the body: for cameras, sensors and scripts. */
function addAlerts(app: FastifyInstance, { phone, clock }: HttpServerOptions): void {
  const tries = new TryLimit();
  app.post<{ Params: { name: string } }>('/api/alerts/:name', async (request, reply) => {
    if (tries.blocks(clock.now(), request.ip)) return await refuse(reply, tooManyTries.statusCode, tooManyTries.reason);
    const token = bearerOf(request.headers.authorization) ?? textOf(request.body, 'token');
    if (token === '') return await refuse(reply, 401, "the alert's token is needed: Authorization: Bearer …");
    try {
      return await phone.command('alert', { alert: request.params.name, token });
    } catch (thrown) {
      if (thrown instanceof UsageError && thrown.code === 'wrong-token') tries.countFailure(clock.now(), request.ip);
      throw thrown;
    }
  });
}

/** `GET /api/recordings/NAME`: the WAV file. */
function addRecordings(app: FastifyInstance, phone: PhoneCommands): void {
  app.get<{ Params: { name: string } }>('/api/recordings/:name', async (request, reply) => {
    const { name } = request.params;
    const { octets, stream } = await openRecording(
      async (offset) => (await phone.command('readRecording', { name, offset })) as ResultOf<typeof phoneContract, 'readRecording'>,
    );
    reply.header('content-length', octets).header('content-disposition', `attachment; filename="${name}"`);
    return await reply.type('audio/wav').send(stream);
  });
}

function readArguments(command: string, query: Record<string, string>): object {
  if (command === 'callLog' || command === 'doorLog') return { limit: Number(query.limit ?? 50) };
  return command === 'listSettings' ? { prefix: query.prefix ?? '' } : {};
}

function factsOf(request: FastifyRequest): RequestFacts {
  const { host, origin, authorization, cookie } = request.headers;
  return { remoteAddress: request.ip, host, origin, authorization, cookie };
}

/** A refusal of the phone is the caller's fault; a phone that does not answer is ours, 503. */
function statusCodeOf(error: unknown): number {
  if (error instanceof UsageError) {
    if (error.code === 'wrong-token') return 401;
    if (error.code.startsWith('unknown')) return 404;
    return error.code === 'invalid-arguments' || error.code.startsWith('invalid') ? 400 : 409;
  }
  const known = typeof error === 'object' && error !== null && 'statusCode' in error ? Number(error.statusCode) : 0;
  return known >= 400 && known < 500 ? known : 503;
}

async function refuse(reply: FastifyReply, statusCode: number, message: string): Promise<FastifyReply> {
  return await reply.code(statusCode).send({ error: statusCode, message });
}

function objectOf(body: unknown): object {
  if (body === undefined || body === null) return {};
  if (typeof body === 'object' && !Array.isArray(body)) return body;
  throw new UsageError('invalid-arguments', 'the body must be a JSON object');
}

function textOf(body: unknown, key: string): string {
  const value: unknown = Object.entries(objectOf(body)).find(([name]) => name === key)?.[1];
  return typeof value === 'string' ? value : '';
}
