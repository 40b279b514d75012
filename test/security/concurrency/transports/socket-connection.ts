import { type Call, type Route, ROUTES, type Session } from '../calls.js';
import { ledger } from '../ledger.js';
import { random } from '../run.js';
import { goodToken, pickToken, type Token, type User, validityOf } from '../tokens.js';
import { type Callers, type Connection, isRefusal, type RequestTokens, tokensFor } from '../transport.js';
import { type Answer, observeAnswer } from '../witnesses.js';
import type { Socket } from './socket-clients.js';

interface Parts {
  transport: string;
  /** Whether `acceptConnection` refuses a connection without a valid token. */
  isChecked: boolean;
  /** The tokens of the handshake. */
  tokens: RequestTokens;
  user: User;
  callers: Callers;
}

interface Message {
  event: string;
  call: Call;
  /** The tokens of the message. */
  token?: Token | undefined;
}

interface Burst {
  /** Unanswered messages by their ids. */
  calls: Map<string, Call>;
  /** The number of messages without an answer or refusal; a refusal does not name its message. */
  open: number;
  resolve(): void;
}

/** The name under which renewals are counted. */
const RENEWAL = ', renewals';

/** A client of socket.io or of ws that sends messages with the token of its connection and with others. */
export class SocketConnection implements Connection {
  private session: Session;
  private internal: Token | undefined;
  private burstInProgress: Burst | undefined;
  private isClosing = false;

  /** @param open opens the socket; the guard may read its token from then on */
  static async open(open: () => Promise<Socket>, parts: Parts): Promise<SocketConnection> {
    const openedAt = Date.now();
    return new SocketConnection(await open(), openedAt, parts);
  }

  private constructor(
    private readonly socket: Socket,
    openedAt: number,
    private readonly parts: Parts,
  ) {
    const { tokens, isChecked } = parts;
    this.session = { tokens: tokens.user ? [tokens.user] : [], isChecked, openedAt };
    this.internal = tokens.internal;
    socket.onMessage((event, data) => this.receive(event, data));
    socket.onClosed(() => {
      if (!this.isClosing) ledger.observeEnd(parts.transport, this.session);
      this.burstInProgress?.resolve();
    });
  }

  get isOpen(): boolean {
    return this.socket.isOpen;
  }

  close(): void {
    this.isClosing = true;
    this.socket.close();
  }

  async burst(): Promise<void> {
    const messages = this.nextMessages();
    await new Promise<void>((resolve) => {
      const calls = new Map(messages.map(({ call }) => [call.id, call]));
      this.burstInProgress = { calls, open: messages.length, resolve };
      for (const { event, call, token } of messages) {
        this.socket.send(event, { call: call.id, ...(token && { token: token.value }) });
      }
      if (!this.isOpen) resolve();
    });
    this.finish();
  }

  private nextMessages(): Message[] {
    const count = 3 + random.below(5);
    const isRenewing = this.isWorthRenewing() && random.chance(0.3);
    const renewal = isRenewing ? [this.renewal()] : [];
    const messages = Array.from({ length: count }, () => this.nextMessage());
    return messages.toSpliced(random.below(count), 0, ...renewal);
  }

  /** Messages that are sent during a renewal may have the claims of either token. */
  private renewal(): Message {
    const token = goodToken(this.parts.user);
    const { session } = this;
    const transport = this.parts.transport + RENEWAL;
    this.session = { ...session, tokens: [...session.tokens, token] };
    return {
      event: 'renew',
      token,
      call: ledger.plan({ transport, route: 'mine', tokens: [token], session }),
    };
  }

  private isWorthRenewing(): boolean {
    const [token] = this.session.tokens;
    return this.parts.isChecked && token !== undefined && validityOf(token, Date.now()) === 'admitted';
  }

  /** Then a refusal may belong to the connection, which still has earlier calls. */
  private hasOutlivedItsToken(): boolean {
    const { tokens, openedAt } = this.session;
    return tokens.some((token) => validityOf(token, openedAt) === 'either');
  }

  private nextMessage(): Message {
    const { transport, user, callers } = this.parts;
    const { session, internal } = this;
    if (random.chance(0.6)) {
      const route = random.pick(ROUTES);
      const tokens = route === 'internal' ? tokensFor(route, { user: undefined, internal }) : session.tokens;
      return { event: route, call: ledger.plan({ transport, route, tokens, session }) };
    }
    const route = random.pick<Route>(['mine', 'scoped', 'optional']);
    const token = pickToken(random.chance(0.3) ? user : random.pick(callers.users));
    const tokens = token ? [token] : [];
    const call = ledger.plan({ transport: `${transport}, token per message`, route, tokens, session });
    return { event: `token/${route}`, call, token };
  }

  private receive(event: string, data: unknown): void {
    const burst = this.burstInProgress;
    if (event === 'answer') {
      const received = data as Answer;
      observeAnswer(received);
      const call = burst?.calls.get(received.call);
      if (!burst || !call) return ledger.report('unexpected answer', `${received.call} was not sent here`);
      burst.calls.delete(received.call);
      ledger.finish(call, 'served');
      if (call.transport.endsWith(RENEWAL)) this.session = { ...this.session, tokens: call.tokens };
    } else if (!isRefusal((data as { errorCode?: string }).errorCode)) {
      ledger.report('unexpected answer', `${this.parts.transport}: ${JSON.stringify(data)}`);
    }
    if (!burst) return;
    burst.open -= 1;
    if (burst.open === 0) burst.resolve();
  }

  private finish(): void {
    const { calls = new Map<string, Call>() } = this.burstInProgress ?? {};
    this.burstInProgress = undefined;
    const isLost = !this.isOpen || this.hasOutlivedItsToken();
    for (const call of calls.values()) ledger.finish(call, isLost ? 'lost' : 'refused');
    // Without an answer to its renewal, the connection keeps its old token, if it stays open.
    this.session = { ...this.session, tokens: this.session.tokens.slice(0, 1) };
  }
}
