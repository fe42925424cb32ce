import { useSignal } from '@preact/signals';
import type { SoundDeviceListing, SoundTest } from '#firmware/contract/media.ts';
import type { PhoneStatus } from '#firmware/contract/phone.ts';
import { ask, order } from './feed.ts';

type RoleStatus = PhoneStatus['sound']['devices'][number];

/** The sound device of each role: whether it works, how loud it is, and others to choose from. */
export function SoundDevices({ status: { sound } }: { status: PhoneStatus }) {
  const listed = useSignal<readonly SoundDeviceListing[] | undefined>(undefined);
  const load = async () => {
    const answer = await fetch('/api/soundDevices');
    if (answer.ok) listed.value = ((await answer.json()) as { devices: SoundDeviceListing[] }).devices;
  };
  return (
    <section class="card" data-sound-devices>
      <h2>Sound devices</h2>
      <ul class="lines">
        {sound.devices.map((device) => (
          <Role key={device.role} device={device} listed={listed.value ?? []} />
        ))}
      </ul>
      <details onToggle={(event) => event.currentTarget.open && void load()}>
        <summary>Devices of this machine</summary>
        <ul class="lines">
          {(listed.value ?? []).map(({ wish, name, usedBy, sampleRate }) => (
            <li key={wish} data-sound-device={wish}>
              <b>{wish}</b> <span class="quiet">{name === wish ? '' : name}</span>
              <br />
              <span class="quiet">
                {sampleRate ?? '?'} Hz, {usedBy.length > 0 ? `used by ${usedBy.join(', ')}` : 'not used'}
              </span>
            </li>
          ))}
        </ul>
        {listed.value?.length === 0 && <p class="quiet">none</p>}
      </details>
    </section>
  );
}

function Role({ device: { role, ok, reason, standIn, volume }, listed }: { device: RoleStatus; listed: readonly SoundDeviceListing[] }) {
  const result = useSignal<string>('');
  const test = async () => {
    result.value = 'a tone, then speak …';
    const tested = await order<SoundTest>('testSound', { role });
    result.value = tested ? testText(tested) : '';
  };
  return (
    <li data-sound-role={role}>
      <span class={`lamp ${ok ? 'works' : 'gone'}`} /> <b>{role}</b>{' '}
      {!ok && (
        <span class="refusal">
          {reason}
          {standIn !== null && `; the ${standIn} helps out`}
        </span>
      )}
      <div class="inputs">
        <input
          type="range"
          min={0}
          max={100}
          value={volume}
          aria-label={`volume of the ${role}`}
          onChange={(event) => void ask('changeSettings', { set: { [`audio.${role}.volume`]: event.currentTarget.value } })}
        />
        <button type="button" onClick={() => void test()}>
          Test
        </button>
        {listed.length > 0 && <Choice role={role} listed={listed} />}
      </div>
      {result.value !== '' && <span class="quiet">{result.value}</span>}
    </li>
  );
}

function Choice({ role, listed }: { role: string; listed: readonly SoundDeviceListing[] }) {
  const choose = (wish: string) => {
    const device = listed.find((one) => one.wish === wish);
    if (!device) return;
    const set = {
      [`audio.${role}.driver`]: 'portaudio',
      [`audio.${role}.input`]: device.inputChannels === 0 ? '' : wish,
      [`audio.${role}.output`]: device.outputChannels === 0 ? '' : wish,
    };
    void ask('changeSettings', { set });
  };
  return (
    <select aria-label={`device of the ${role}`} onChange={(event) => choose(event.currentTarget.value)}>
      <option value="">change …</option>
      {listed.map(({ wish, name }) => (
        <option key={wish} value={wish}>
          {name === wish ? wish : `${name} (${wish})`}
        </option>
      ))}
    </select>
  );
}

function testText({ device, quiet, duringTone, loudest }: SoundTest): string {
  if (quiet === null) return `${device}: a tone; it has no microphone`;
  return `${device}: microphone ${quiet} dBFS quiet, ${duringTone} with the tone, ${loudest} at its loudest`;
}
