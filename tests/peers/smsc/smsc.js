// A carrier's SMSC on npm smpp, for tests: orders come on stdin and what happened goes to stdout, as JSON lines.
// What isn't acknowledged with ESME_ROK is delivered again. It ends with its stdin. With the environment's SMSC_CERT
// and SMSC_KEY (PEM files) it speaks TLS.
'use strict';
const smpp = require('smpp');
const fs = require('fs');
const readline = require('readline');

const REDELIVER_MS = 300;
const rules = { throttle: 0, reject: null, cut: false, receipt: 'DELIVRD' };
let session = null, ids = 0, owed = [];

const tell = (event, fields) => process.stdout.write(JSON.stringify({ event, ...fields }) + '\n');

function push() {
  if (!session) return;
  const to = session, now = Date.now();
  for (const each of owed) {
    if (each.session === to && now < each.again) continue;
    Object.assign(each, { session: to, again: now + REDELIVER_MS, times: each.times + 1 });
    to.deliver_sm({ ...each.fields }, (answer) => {
      tell('ack', { what: each.what, status: answer.command_status, times: each.times });
      if (answer.command_status === smpp.ESME_ROK) owed = owed.filter((other) => other !== each);
    });
  }
}

function deliver(what, fields) {
  owed.push({ what, fields, times: 0, again: 0, session: null });
  push();
}

function receipt(to, from, id) {
  const stamp = new Date().toISOString().replace(/[-T:]/g, '').slice(2, 12);
  const delivered = rules.receipt === 'DELIVRD';
  deliver('receipt', {
    esm_class: 4, source_addr: to, destination_addr: from, receipted_message_id: id,
    message_state: delivered ? 2 : 5,
    short_message: `id:${id} sub:001 dlvrd:00${+delivered} submit date:${stamp} done date:${stamp} ` +
      `stat:${rules.receipt} err:${delivered ? '000' : '027'} text:`,
  });
}

function submit(s, pdu) {
  const { source_addr: from, destination_addr: to, data_coding, registered_delivery } = pdu;
  const payload = pdu.message_payload;
  const { message: text, udh } = payload || pdu.short_message;
  const how = { parted: Boolean(udh), payload: Boolean(payload) };
  tell('submit', { from, to, text, data_coding, registered_delivery, ...how });
  if (rules.cut) { rules.cut = false; s.destroy(); return; }
  if (rules.throttle > 0) {
    rules.throttle -= 1;
    s.send(pdu.response({ command_status: smpp.ESME_RTHROTTLED }));
    return;
  }
  if (rules.reject && to.endsWith(rules.reject)) {
    s.send(pdu.response({ command_status: smpp.ESME_RINVDSTADR }));
    return;
  }
  ids += 1;
  const id = ids.toString(16).toUpperCase().padStart(8, '0');
  s.send(pdu.response({ message_id: id }));
  if (registered_delivery & 1) setTimeout(() => receipt(to, from, id), 30);
}

const { SMSC_CERT: cert, SMSC_KEY: key } = process.env;
const options = cert ? { cert: fs.readFileSync(cert), key: fs.readFileSync(key) } : {};

function bind(s, role, pdu) {
  if (pdu.system_id !== 'huifang' || pdu.password !== 'secret') {
    s.send(pdu.response({ command_status: smpp.ESME_RBINDFAIL }));
    s.close();
    return;
  }
  s.send(pdu.response({ system_id: 'carrier', sc_interface_version: 0x34 }));
  if (role !== 'transmitter') session = s;
  tell('bound', { role });
  push();
}

const server = smpp.createServer(options, (s) => {
  for (const role of ['transceiver', 'transmitter', 'receiver']) {
    s.on(`bind_${role}`, (pdu) => bind(s, role, pdu));
  }
  s.on('submit_sm', (pdu) => submit(s, pdu));
  s.on('enquire_link', (pdu) => { s.send(pdu.response()); tell('enquired', {}); });
  s.on('unbind', (pdu) => { s.send(pdu.response()); s.close(); });
  s.on('close', () => { if (session === s) session = null; tell('closed', {}); });
  s.on('error', () => {});
});
server.listen(0, '127.0.0.1', () => tell('listening', { port: server.address().port }));
setInterval(push, 50);

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const order = JSON.parse(line);
  if (order.rule) Object.assign(rules, order.rule);
  if (order.drop && session) session.destroy();
  if (order.say) {
    const { from, to, text, parts } = order.say;
    const fields = { source_addr: from, destination_addr: to, data_coding: 8 };
    if (!parts) deliver('reply', { ...fields, short_message: text });
    (parts || []).forEach((message, at) => deliver('part', {
      ...fields, esm_class: 0x40, short_message: { udh: Buffer.from([5, 0, 3, 7, parts.length, at + 1]), message },
    }));
  }
}).on('close', () => process.exit(0));
