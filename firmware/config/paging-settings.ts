import { digits, groupAddress, network } from './checks.ts';
import { choice, duration, flag, integer, list, text } from './setting.ts';

const priorities = { minimum: 0, maximum: 10 } as const;

/** Settings of announcements to many telephones at once: plain RTP to a multicast group, as desk phones have it. */
export const pagingSettings = {
  'page.*.address': text({
    title: 'Group',
    description: 'Multicast address and port of the group, such as 239.255.10.1:10000 or [ff02::10]:10000.',
    owner: 'media',
    check: groupAddress,
  }),
  'page.*.priority': integer({
    title: 'Priority',
    description: 'Of what comes to the group: 1 is the most important, 10 the least. The more important cuts the other off.',
    owner: 'phone',
    default: 5,
    minimum: 1,
    maximum: 10,
  }),
  'page.*.listen': flag({
    title: 'Hear the group',
    description: 'Announcements to the group are heard here. Off, it is only there to be spoken to.',
    owner: 'media',
    default: true,
  }),
  'page.*.codec': choice({
    title: 'Codec',
    description: 'Of what is sent to the group; PCMU is what all telephones understand. What comes may have any of them.',
    owner: 'media',
    choices: ['PCMU', 'PCMA', 'G722', 'opus'],
    default: 'PCMU',
  }),
  'page.*.opusPayloadType': integer({
    title: 'Payload type of Opus',
    description: 'That all telephones of the group use for Opus: nobody agrees on it for each announcement.',
    owner: 'media',
    default: 107,
    minimum: 96,
    maximum: 127,
  }),
  'page.*.code': text({
    title: 'Code',
    description: 'Dialled with the handset lifted it lets the person speak to the group until they hang up, such as *81; empty = none.',
    owner: 'phone',
    check: digits,
  }),
  'paging.interface': text({
    title: 'Interface',
    description:
      'Name or address of the network interface where groups are joined and spoken to, such as eth0; empty = every one that leads outside.',
    owner: 'media',
  }),
  'paging.ttl': integer({
    title: 'Reach',
    description: 'Routers that what is sent may pass, and one more: 1 = it stays in this network.',
    owner: 'media',
    default: 1,
    minimum: 1,
    maximum: 255,
  }),
  'paging.networks': list({
    title: 'Who may announce',
    description: 'Networks from which announcements are heard; others are counted. By itself private and link-local ones.',
    owner: 'media',
    default: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16', '127.0.0.0/8', 'fc00::/7', 'fe80::/10'],
    check: network,
  }),
  'paging.silence': duration({
    title: 'End of an announcement',
    description: 'It is over when nothing has come for so long.',
    owner: 'media',
    unit: 'ms',
    default: 2000,
    minimum: 200,
    maximum: 60_000,
  }),
  'paging.device': choice({
    title: 'Sound device',
    description: 'Where announcements are heard while the phone is not in use; in a call where the person listens.',
    owner: 'phone',
    choices: ['ringer', 'speaker', 'handset', 'headset'],
    default: 'ringer',
  }),
  'paging.callPriority': integer({
    title: 'Announcements in a call',
    description: 'Those of this priority and more important ones (lower numbers) are heard while the phone is in use; 0 = none.',
    owner: 'phone',
    default: 3,
    ...priorities,
  }),
  'paging.inCall': choice({
    title: 'Call and announcement',
    description: 'mix = both are heard, hold = the call is put on hold until the announcement is over.',
    owner: 'phone',
    choices: ['mix', 'hold'],
    default: 'mix',
  }),
  'paging.emergencyPriority': integer({
    title: 'Emergency',
    description: 'Announcements of this priority and more important ones are heard although nobody is to disturb; 0 = none.',
    owner: 'phone',
    default: 1,
    ...priorities,
  }),
};
