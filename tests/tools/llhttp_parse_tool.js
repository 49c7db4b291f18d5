// What llhttp, the parser inside Node.js, makes of messages: the same input and
// output as http_parse_tool.cpp. It is llhttp itself that is asked, in its strict
// mode, through Node's internal binding; Node's server adds checks of its own.
'use strict';

process.noDeprecation = true;
const { HTTPParser, methods } = process.binding('http_parser');
const { readFileSync } = require('node:fs');

const hex = (latin1) => Buffer.from(latin1, 'latin1').toString('hex');

// Collects the first message that the parser reports.
class Observer {
  fields = [];
  body = [];
  result = {};
  headComplete = false;
  complete = false;

  constructor(kind) {
    const parser = new HTTPParser();
    parser.initialize(kind === 'Q' ? HTTPParser.REQUEST : HTTPParser.RESPONSE, {}, 1 << 20);
    parser[HTTPParser.kOnHeaders | 0] = (fields) => this.addFields(fields);
    parser[HTTPParser.kOnHeadersComplete | 0] = (...head) => this.takeHead(kind, head);
    parser[HTTPParser.kOnBody | 0] = (bytes) => {
      if (!this.complete) this.body.push(Buffer.from(bytes));
    };
    parser[HTTPParser.kOnMessageComplete | 0] = () => { this.complete = true; };
    this.parser = parser;
  }

  addFields(fields) {
    if (this.headComplete) return;  // trailers, or the next message
    for (let i = 0; i < fields.length; i += 2) this.fields.push([hex(fields[i]), hex(fields[i + 1])]);
  }

  takeHead(kind, head) {
    const [, minor, fields, method, target, code, phrase, , keepAlive] = head;
    if (this.headComplete) return 0;
    if (fields) this.addFields(fields);
    this.headComplete = true;
    this.result.minor = minor;
    if (kind === 'Q') {
      this.result.method = hex(methods[method]);
      this.result.target = hex(target ?? '');
      this.result.keep_alive = keepAlive;
    } else {
      this.result.code = code;
      this.result.phrase = hex(phrase ?? '');
    }
    return kind === 'H' ? 1 : 0;  // 1: no body follows
  }
}

function judge(kind, bytes) {
  const observer = new Observer(kind);
  let fault = observer.parser.execute(bytes);
  if (!(fault instanceof Error) && !observer.complete) fault = observer.parser.finish();
  const { result } = observer;
  result.fields = observer.fields;
  result.body = Buffer.concat(observer.body).toString('hex');
  if (observer.complete) {
    result.verdict = 'accept';
  } else if (fault instanceof Error && fault.code !== 'HPE_INVALID_EOF_STATE') {
    result.verdict = 'reject';
    result.reason = `${fault.code}: ${fault.reason}`;
  } else {
    result.verdict = 'incomplete';
  }
  return result;
}

const input = readFileSync(0);
const lines = [];
for (let at = 0; at < input.length;) {
  const size = input.readUInt32BE(at + 1);
  const kind = String.fromCharCode(input[at]);
  lines.push(JSON.stringify(judge(kind, input.subarray(at + 5, at + 5 + size))));
  at += 5 + size;
}
process.stdout.write(lines.join('\n') + '\n');
