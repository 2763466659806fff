// Asks for the page's changing part every few seconds and patches what differs, so that nothing flickers, scrolls
// or loses its selection, and whoever goes by keyboard stays where he is. `data-while`: as long as that stands in it.
(function () {
  "use strict";
  var EVERY_MS = 3000;
  var page = document.querySelector("[data-from]");
  // not relative to the page: its address may hold a password, which fetch refuses
  var from = window.location.origin + page.dataset.from;

  function patch(old, fresh) {
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) { old.replaceWith(fresh.cloneNode(true)); return; }
    if (old.nodeType !== 1) { if (old.nodeValue !== fresh.nodeValue) { old.nodeValue = fresh.nodeValue; } return; }
    Array.from(old.attributes).forEach(function (a) {
      // what a person has opened stays open
      var keeps = old.nodeName === "DETAILS" && a.name === "open";
      if (!fresh.hasAttribute(a.name) && !keeps) { old.removeAttribute(a.name); }
    });
    Array.from(fresh.attributes).forEach(function (a) {
      if (old.getAttribute(a.name) !== a.value) { old.setAttribute(a.name, a.value); }
    });
    patchChildren(old, fresh);
  }

  // Without blanks: the page and its part have others, and what is compared by its place would all be replaced.
  function childrenOf(node) {
    return Array.from(node.childNodes).filter(function (child) { return child.nodeType !== 3 || child.nodeValue.trim() !== ""; });
  }

  function nameOf(node) { return node.nodeType === 1 ? node.dataset.row : undefined; }

  // Rows and alarms are known by name, so that a new one on top moves the others and doesn't become them.
  function patchChildren(old, fresh) {
    var wanted = childrenOf(fresh);
    wanted.forEach(function (child, i) {
      var children = childrenOf(old);
      var at = children[i] || null;
      if (nameOf(child) !== undefined) {
        var same = children.find(function (other) { return nameOf(other) === nameOf(child); });
        if (same && same !== at) { old.insertBefore(same, at); }
        at = same || old.insertBefore(child.cloneNode(true), at);
      }
      if (at) { patch(at, child); } else { old.appendChild(child.cloneNode(true)); }
    });
    childrenOf(old).slice(wanted.length).forEach(function (child) { child.remove(); });
  }

  function failed(why) {
    var dot = page.querySelector(".status-dot");
    if (!dot) { return; }
    dot.className = "status-dot status-dot-error";
    dot.nextElementSibling.textContent = why;
  }

  async function refresh() {
    if (!document.hidden) {
      try {
        var answer = await fetch(from, { redirect: "manual", signal: AbortSignal.timeout(15000) });
        if (answer.ok) {
          var fresh = document.createElement("template");
          fresh.innerHTML = await answer.text();
          var now = page.cloneNode(false);
          now.appendChild(fresh.content);
          var focused = document.activeElement;
          patchChildren(page, now);
          // whoever goes by keyboard stays where he is, also when his row has moved
          if (focused !== document.activeElement && page.contains(focused)) { focused.focus({ preventScroll: true }); }
        } else {
          failed(answer.type === "opaqueredirect" || answer.status === 401 ? "signed out: reload the page" : "Flower answered " + answer.status);
        }
      } catch (error) { failed("Flower doesn't answer"); }
    }
    if (page.dataset.while && !page.querySelector(page.dataset.while)) { return; }
    window.setTimeout(refresh, EVERY_MS);
  }

  window.setTimeout(refresh, EVERY_MS);
}());
