import type { PhoneStatus } from '#firmware/contract/phone.ts';
import { ask } from './feed.ts';

/** What a door station or a sensor has beside the telephone: inputs to press, relays that close, alerts that call. */
export function Surroundings({ status }: { status: PhoneStatus }) {
  const inputs = Object.entries(status.board?.inputs ?? {});
  const relays = Object.entries(status.board?.relays ?? {});
  return (
    <section class="card">
      <h2>Board {status.board?.profile ? <span class="quiet">{status.board.profile}</span> : <span class="badge">hal is away</span>}</h2>
      <div class="inputs">
        {inputs.map(([name, active]) => (
          <button
            type="button"
            key={name}
            aria-pressed={active}
            data-input={name}
            onClick={() => void ask('actuate', { element: 'input', name, active: !active })}
          >
            {name} {active ? 'on' : 'off'}
          </button>
        ))}
      </div>
      <p>
        <a href="#hardware">Wiring, and finding out what is wired where</a>
      </p>
      <ul class="relays">
        {relays.map(([name, closed]) => (
          <li key={name} data-relay={name}>
            <span class={`lamp ${closed ? 'closed' : ''}`} /> relay {name}: {closed ? 'closed' : 'open'}
          </li>
        ))}
        {status.alerts.map((alert) => (
          <li key={alert.alert} data-alert={alert.alert}>
            <span class={`lamp ${alert.state}`} /> alert {alert.alert}: {alert.state}
            {alert.person ? ` (${alert.person})` : ''}
          </li>
        ))}
        {(status.board?.faults ?? []).map((fault) => (
          <li key={fault.element} class="refusal">
            {fault.element}: {fault.reason}
          </li>
        ))}
      </ul>
    </section>
  );
}
