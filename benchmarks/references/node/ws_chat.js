// The chat by hand on `ws`: rooms of its own, and all messages of one turn of the event loop in one commit.
"use strict";

const { randomUUID } = require("node:crypto");
const { WebSocketServer } = require("ws");
const { open } = require("./store");

const [port, path] = process.argv.slice(2);
const store = open(path);
const server = new WebSocketServer({ host: "127.0.0.1", port: Number(port), perMessageDeflate: false });
const sockets = new Map(); // user id -> socket
const rooms = new Map(); // conversation id -> set of sockets
let waiting = [];

const frame = (event, params) => JSON.stringify({ event, params });

function publish(conversationId, text, but) {
  for (const socket of rooms.get(conversationId) ?? []) if (socket !== but) socket.send(text);
}

function join(conversationId, socket) {
  if (!rooms.has(conversationId)) rooms.set(conversationId, new Set());
  rooms.get(conversationId).add(socket);
  socket.conversations.add(conversationId);
}

function commit() {
  const messages = waiting;
  waiting = [];
  store.addMessages(messages);
  for (const message of messages) publish(message.conversation_id, frame("message_sent", message));
}

const commands = {
  new_conversation(socket, { pet_id: pet, providers }) {
    const conversation = { id: randomUUID(), client: socket.userId, pet, providers };
    store.addConversation(conversation);
    const others = providers.map((provider) => sockets.get(provider)).filter(Boolean);
    for (const member of [socket, ...others]) join(conversation.id, member);
    socket.send(frame("conversation_created", conversation));
    publish(conversation.id, frame("new_conversation_invitation", conversation), socket);
  },

  message(socket, { conversation_id, content }) {
    if (!socket.conversations.has(conversation_id)) {
      socket.send(frame("error", { message: "You have no such conversation." }));
      return;
    }
    if (waiting.length === 0) setImmediate(commit);
    waiting.push({ id: randomUUID(), conversation_id, sender_id: socket.userId, content, timestamp: Date.now() });
  },

  relay: (socket, params) => publish(params.conversation_id, frame("relayed", params)),
  echo: (socket, params) => socket.send(frame("echoed", params)),
};

server.on("connection", (socket, request) => {
  socket.userId = new URL(request.url, "ws://localhost").searchParams.get("user_id");
  socket.conversations = new Set();
  sockets.set(socket.userId, socket);
  for (const conversationId of store.memberships(socket.userId)) {
    const joined = { user_id: socket.userId, conversation_id: conversationId };
    publish(conversationId, frame("user_joined", joined));
    join(conversationId, socket);
  }
  socket.on("message", (data) => {
    const { event, params } = JSON.parse(data);
    if (Object.hasOwn(commands, event)) commands[event](socket, params);
  });
  socket.on("error", console.error);
  socket.on("close", () => {
    if (sockets.get(socket.userId) === socket) sockets.delete(socket.userId);
    for (const conversationId of socket.conversations) rooms.get(conversationId).delete(socket);
  });
});
