// The client at work: reads a line of JSON, does what it says, and prints what it hears, one JSON object a line.
//
//   node chat.mjs ws://127.0.0.1:8000/ws/?role=client
//   {"ask": "new_conversation", "params": {"pet_id": "…", "providers": ["…"]}}
//   {"send": "Hello.", "to": "the conversation's id"}

import { createInterface } from "node:readline";
import { VetChat } from "./vetchat.mjs";

const print = (kind, value) => console.log(JSON.stringify({ [kind]: value }));

const chat = new VetChat(process.argv[2], { token: () => process.env.VETCHAT_TOKEN });
chat.onevent = (frame) => print("event", frame);
chat.onreload = async () => print("reloaded", (await chat.ask("conversations")).params);
chat.onend = (code, reason) => (print("ended", { code, reason }), process.exit(1));
chat.connect();

const answers = [];
for await (const line of createInterface({ input: process.stdin })) {
  const { ask, params, send, to } = JSON.parse(line);
  const answer = send === undefined ? chat.ask(ask, params) : chat.send(to, send);
  answers.push(
    answer.then(
      (frame) => print("answer", frame),
      ({ code, message }) => print("refused", { code, message }),
    ),
  );
}
await Promise.all(answers);
chat.close();
