import { sipUri } from './checks.ts';
import { flag, integer, text } from './setting.ts';

/** Settings of how well packets are carried, and of who is told how well they were. */
export const qualitySettings = {
  'rtp.dscp': integer({
    title: 'Class of sound',
    description:
      'Written into each packet of sound, so that routers let it pass others (DSCP, RFC 2474): 46 is “expedited forwarding”, which most networks ' +
      'take for telephony; 0 = none.',
    owner: 'media',
    default: 46,
    minimum: 0,
    maximum: 63,
  }),
  'rtp.extendedReports': flag({
    title: 'Extended reports',
    description: 'Ask far ends to tell how well they hear us, and tell those who ask (RTCP XR, RFC 3611).',
    owner: 'phone',
    default: true,
  }),
  'line.*.qualityCollector': text({
    title: 'Collector of voice quality',
    description:
      'SIP address that is told at the end of each call of the line how well it went (PUBLISH vq-rtcpxr, RFC 6035); empty = nobody.',
    owner: 'phone',
    check: sipUri,
  }),
  'sip.dscp': integer({
    title: 'Class of SIP',
    description: 'Written into each SIP packet: 24 (CS3) and 26 (AF31) are what most networks take for signalling; 0 = none.',
    owner: 'phone',
    restart: true,
    default: 24,
    minimum: 0,
    maximum: 63,
  }),
};
