// The explorer's script in a page that has just enough of a DOM: `node check.mjs explorer.html`. Exits with 1 and says which
// expectation was not met.
import { readFileSync } from "node:fs";
import { strict as assert } from "node:assert";
import { setTimeout as after } from "node:timers/promises";

const script = readFileSync(process.argv[2], "utf8").split("<script>")[1].split("</script>")[0];

class Element {
  constructor(tag) { Object.assign(this, { tag, children: [], hidden: false, value: "", text: "", listeners: {} }); }
  set textContent(text) { this.text = String(text); this.children = []; }
  get textContent() { return [this.text, ...this.children.map(it => it.textContent)].filter(Boolean).join(" "); }
  append(...nodes) { this.children.push(...nodes); }
  appendChild(node) { this.children.push(node); return node; }
  replaceChildren(...nodes) { this.text = ""; this.children = nodes; }
  setAttribute() {}
  addEventListener(name, act) { this.listeners[name] = act; }
}

const spec = {
  info: { title: "Shop" },
  paths: {
    "/a/b": { get: {} },
    "/rpc/go": {
      post: {
        parameters: [{
          in: "body",
          schema: { required: ["x"], properties: { x: { type: "integer" }, y: { enum: ["p", "q"], default: "p" } } },
        }],
      },
    },
  },
  definitions: {
    "a/b": {
      required: ["id", "size"],
      properties: { id: { type: "integer", default: 1 }, size: { type: "string", enum: ["small", "large"] } },
    },
  },
};
const [elements, listeners, requests] = [{}, {}, []];
let [isRefused, scrolled] = [false, false];
Object.assign(globalThis, {
  document: { getElementById: id => (elements[id] ??= new Element(id)), createElement: tag => new Element(tag) },
  location: { hash: "" },
  scrollTo: () => { scrolled = true; },
  addEventListener: (name, act) => { listeners[name] = act; },
  fetch: async (url, { method = "GET", body }) => {
    requests.push(`${method} ${url}${body ? ` ${body}` : ""}`);
    const answer = url !== "./" ? [{ id: 1 }] : isRefused ? { message: "JWT invalid" } : spec;
    return {
      ok: !isRefused, status: 200, statusText: "OK", headers: { get: () => null },
      json: async () => answer, text: async () => JSON.stringify(answer),
    };
  },
});
const { eval: run } = globalThis;
run(script);
await after(1);
const go = async hash => { location.hash = hash; listeners.hashchange(); await after(1); };

await go("#" + encodeURIComponent("/a/b"));
const { columns, send, body, request, about, resources } = elements;
assert.equal(requests.at(-1), "GET ./a%2Fb?limit=20", "a slash in a name is part of the name");
assert.match(columns.textContent, /one of small, large/, "values of an enum are told");
const rows = columns.children[0].children[0].children[1].children;
assert.deepEqual(rows.map(it => it.children[2].text), ["", "yes"], "what has a default is not required");
assert.ok(scrolled, "the content is in sight");

await go("#/rpc/go");
assert.ok(columns.textContent.startsWith("argument"), "a function has arguments");
assert.deepEqual([send.text, body.hidden, request.hidden], ["POST", false, false], "a function without GET is called by POST");
assert.deepEqual(JSON.parse(body.value), { x: null }, "the body names what is required");
body.value = '{"x":1}';
request.listeners.submit({ preventDefault() {} });
await after(1);
assert.equal(requests.at(-1), 'POST ./rpc/go {"x":1}');

isRefused = true;
elements.token.listeners.change();
await after(1);
assert.deepEqual([resources.textContent, request.hidden, about.text], ["", true, "JWT invalid"], "a bad token shows nothing of before");
