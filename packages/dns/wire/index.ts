/** The DNS message format. For any bytes: a message or a fault, never a throw. */

export {
  DNS_DATAGRAM_BYTES,
  DNS_HEADER_BYTES,
  DNS_MESSAGE_BYTES_MAX,
  DNS_RECORDS_MAX,
  type DnsEdns,
  type DnsMessage,
  type DnsQuestion,
  type DnsRecord,
  dnsCode,
  emitDns,
  formatDns,
  fullCode,
  parseDns,
} from './message.ts';
export {
  isName,
  LABEL_BYTES_MAX,
  labelBytes,
  labelsOf,
  lowerName,
  mixCase,
  NAME_BYTES_MAX,
  NAME_POINTERS_MAX,
  readName,
  writeName,
} from './name.ts';
export { CLASS_IN, dnsType, type RecordData } from './record.ts';
