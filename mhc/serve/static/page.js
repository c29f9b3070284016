"use strict";
// Keep a page up to date: the server sends the running runs. Texts are set as texts, never as markup.
(() => {
  const start = document.querySelector("[data-url]");
  if (!start || !window.EventSource) return;
  const panel = document.getElementById("live");
  const rows = document.getElementById("live-rows");
  const state = document.getElementById("live-state");
  const news = document.getElementById("news");
  let total = null;

  const put = (row, name, text) => {
    const cell = row.querySelector(`[data-field="${name}"]`);
    if (cell && cell.textContent !== text) cell.textContent = text;
  };

  const newRow = (run) => {
    const row = document.createElement("tr");
    row.dataset.live = run.id;
    const head = document.createElement("th");
    head.scope = "row";
    const link = document.createElement("a");
    link.href = `/runs/${encodeURIComponent(run.id)}`;
    link.textContent = run.id;
    head.append(link);
    row.append(head);
    for (const name of ["status", "for", "epoch", "progress", "left", "facts"]) {
      const cell = document.createElement("td");
      if (name === "progress") {
        const bar = document.createElement("progress");
        bar.max = 1;
        bar.setAttribute("aria-label", "Epochs done");
        cell.append(bar);
      } else {
        cell.dataset.field = name;
        if (["for", "epoch", "left"].includes(name)) cell.className = "n";
      }
      row.append(cell);
    }
    rows.append(row);
    return row;
  };

  const show = (run) => {
    for (const place of document.querySelectorAll("[data-run]")) {
      if (place.dataset.run === run.id) {
        put(place, "status", run.status);
        put(place, "facts", run.facts);
      }
    }
    if (!rows) return;
    const row = [...rows.children].find((one) => one.dataset.live === run.id) || newRow(run);
    for (const name of ["status", "epoch", "left", "facts"]) put(row, name, run[name]);
    put(row, "for", run.took);
    row.querySelector("progress").value = run.share;
  };

  const source = new EventSource(start.dataset.url);
  source.onmessage = (event) => {
    const sent = JSON.parse(event.data);
    const shown = [...sent.running, ...sent.ended];
    shown.forEach(show);
    if (panel && shown.length) panel.hidden = false;
    if (rows) {
      const running = new Set(sent.running.map((run) => run.id));
      for (const row of rows.children) {
        const cell = row.querySelector('[data-field="status"]');
        if (!running.has(row.dataset.live) && cell.textContent === "running") cell.textContent = "ended";
      }
    }
    if (news && total !== null && sent.total !== total) {
      news.textContent = `There are now ${sent.total} runs. Reload the page to see them.`;
      news.hidden = false;
    }
    if (total === null) total = sent.total;
    if (state) state.textContent = "";
  };
  source.onerror = () => {
    if (state) state.textContent = "The server does not answer; the page tries again.";
  };
  window.addEventListener("pagehide", () => source.close());
})();
