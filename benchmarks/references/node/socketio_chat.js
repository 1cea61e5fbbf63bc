// The chat as a user of socket.io would write it: a room per conversation, one SQLite file.
"use strict";

const { randomUUID } = require("node:crypto");
const { createServer } = require("node:http");
const { Server } = require("socket.io");
const { open } = require("./store");

const [port, path] = process.argv.slice(2);
const store = open(path);
const http = createServer();
const io = new Server(http);

io.on("connection", (socket) => {
  const userId = socket.handshake.query.user_id;
  socket.join(`user:${userId}`);
  for (const conversationId of store.memberships(userId)) {
    socket.join(conversationId);
    socket.to(conversationId).emit("user_joined", { user_id: userId, conversation_id: conversationId });
  }

  socket.on("new_conversation", ({ pet_id: pet, providers }) => {
    const conversation = { id: randomUUID(), client: userId, pet, providers };
    store.addConversation(conversation);
    for (const member of [userId, ...providers]) io.in(`user:${member}`).socketsJoin(conversation.id);
    socket.emit("conversation_created", conversation);
    socket.to(conversation.id).emit("new_conversation_invitation", conversation);
  });

  socket.on("message", ({ conversation_id, content }) => {
    if (!socket.rooms.has(conversation_id)) {
      socket.emit("error", { message: "You have no such conversation." });
      return;
    }
    const message = { id: randomUUID(), conversation_id, sender_id: userId, content, timestamp: Date.now() };
    store.addMessage(message);
    io.to(conversation_id).emit("message_sent", message);
  });

  socket.on("relay", (params) => io.to(params.conversation_id).emit("relayed", params));
  socket.on("echo", (params) => socket.emit("echoed", params));
});

http.listen(Number(port), "127.0.0.1");
