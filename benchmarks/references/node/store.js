// One SQLite file by better-sqlite3, for both servers on Node.
"use strict";

const Database = require("better-sqlite3");

function open(path) {
  const database = new Database(path);
  database.pragma("journal_mode = WAL");
  database.pragma("synchronous = NORMAL");
  database.exec(`
    CREATE TABLE conversations (id TEXT PRIMARY KEY, client TEXT, pet TEXT);
    CREATE TABLE participants (conversation_id TEXT, user_id TEXT, PRIMARY KEY (user_id, conversation_id));
    CREATE TABLE messages (id TEXT PRIMARY KEY, conversation_id TEXT, sender_id TEXT, content TEXT, timestamp INTEGER);
    CREATE INDEX by_conversation ON messages (conversation_id, timestamp);
  `);
  const addConversation = database.prepare("INSERT INTO conversations VALUES (@id, @client, @pet)");
  const addParticipant = database.prepare("INSERT INTO participants VALUES (?, ?)");
  const addMessage = database.prepare(
    "INSERT INTO messages VALUES (@id, @conversation_id, @sender_id, @content, @timestamp)",
  );
  const memberships = database.prepare("SELECT conversation_id FROM participants WHERE user_id = ?").pluck();
  return {
    memberships: (userId) => memberships.all(userId),
    addConversation: database.transaction((conversation) => {
      addConversation.run(conversation);
      for (const user of [conversation.client, ...conversation.providers]) addParticipant.run(conversation.id, user);
    }),
    addMessage: (message) => addMessage.run(message),
    addMessages: database.transaction((messages) => {
      for (const message of messages) addMessage.run(message);
    }),
  };
}

module.exports = { open };
