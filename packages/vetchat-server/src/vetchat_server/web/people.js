/** Who is who: the two people of this browser, the names it has met, and the pets of the demonstration. */

import { read, write } from "./storage.js";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The two roles on the wire (S3.1, S3.2) and what people call them. */
export const ROLES = {
  client: { title: "Pet owner", name: "Ann Miller" },
  provider: { title: "Vet", name: "Dr. Bruno Keller" },
};

/** Fixed ids, so that owner and vet call a pet by the same name in whatever browser they sit. */
export const PETS = [
  { id: "5b1f0c52-7a7e-4c3c-9a57-0d8f5a1c6e01", name: "Milo", about: "Beagle, 4 years" },
  { id: "c2a8e6d4-31b0-4f0e-8d53-6f5a7b9c2e02", name: "Luna", about: "Tabby cat, 9 years" },
  { id: "9e47d3b8-5c96-4b1a-b7e2-2c0d4f6a8e03", name: "Pepper", about: "Lop rabbit, 2 years" },
  { id: "1d6b2f90-8e4c-4a75-a3c8-7b5e9d1f3e04", name: "Kiwi", about: "Budgie, 1 year" },
];

/** A random UUID (version 4). `crypto.randomUUID` would do, but exists in secure contexts only. */
export function randomUuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** This browser's person for a role: `{id, role, name}`, made at the first visit and kept. */
export function personFor(role) {
  const kept = read("browser", role, {});
  if (UUID.test(kept.id)) return { role, id: kept.id, name: kept.name || ROLES[role].name };
  const person = { role, id: randomUuid(), name: ROLES[role].name };
  write("browser", role, person);
  return person;
}

/** Keeps the person under a new name and returns them. */
export function rename(person, name) {
  const renamed = { ...person, name };
  write("browser", person.role, renamed);
  return renamed;
}

/** Keeps the name that the server told for a user (R5.4), so that it is known after a reload too. */
export function learnName(userId, name) {
  const names = read("browser", "names", {});
  if (name === "Unknown User" || names[userId] === name) return;
  write("browser", "names", { ...names, [userId]: name });
}

/** What to call a user: base messages carry ids only, so the role and a bit of the id where no name is known. */
export function nameOf(userId, role) {
  const own = personFor(role);
  if (own.id === userId) return own.name;
  return read("browser", "names", {})[userId] ?? `${ROLES[role].title} ${userId.slice(0, 4)}`;
}

/** Name, description and colour number of a pet; a pet from elsewhere is known by a bit of its id. */
export function petOf(petId) {
  const place = PETS.findIndex((pet) => pet.id === petId);
  if (place >= 0) return { ...PETS[place], hue: place };
  return { id: petId, name: `Pet ${petId.slice(0, 4)}`, about: "", hue: PETS.length };
}

/** One or two letters for an avatar, titles left out: "Dr. Bruno Keller" is BK. */
export function initials(name) {
  const words = name.split(/\s+/).filter((word) => word && !word.endsWith("."));
  const ends = words.length > 1 ? [words[0], words.at(-1)] : words;
  return ends.map((word) => Array.from(word)[0].toUpperCase()).join("") || "?";
}

/** The ids in a pasted text, lower-cased, each once, and the words in it that are none. */
export function idsIn(text) {
  const words = text.toLowerCase().split(/[\s,;]+/).filter(Boolean);
  const ids = new Set(words.filter((word) => UUID.test(word)));
  return { ids: [...ids], strays: words.filter((word) => !ids.has(word)) };
}
