// Takes a survey page by page: loads a page, saves it, goes on. Nothing is shown as saved before the server
// has said so; when it cannot be reached, the answers stay on the page and saving is tried again.
"use strict";
(function () {
  const survey = document.getElementById("survey");
  const content = document.getElementById("content");
  const saved = document.getElementById("saved");
  const trouble = document.getElementById("trouble");
  const progress = document.getElementById("progress");
  const base = "/survey/" + encodeURIComponent(survey.dataset.slug) + "/";
  let busy = false;

  function tell(text, isBusy) {
    saved.textContent = text;
    saved.classList.toggle("busy", Boolean(isBusy));
  }

  function complain(text) {
    trouble.textContent = text;
    trouble.hidden = !text;
  }

  async function ask(path, options) {
    // Three tries: a request that the server never saw, or whose answer was lost, may be sent again, because
    // saving a page twice changes nothing.
    for (let attempt = 1; ; attempt++) {
      let response = null;
      try { response = await fetch(base + path, options); } catch (_) { response = null; }
      if (response && response.status < 500) { return response; }
      if (attempt === 3) { return response; }
      tell("Trying again…", true);
      await new Promise((done) => setTimeout(done, 700 * attempt));
    }
  }

  async function refused(response) {
    let body = {};
    try { body = await response.json(); } catch (_) { body = {}; }
    if (body.sign_in) { location.href = body.sign_in; return; }
    complain(body.error || "Your answers could not be saved. They are still on this page; please try again.");
  }

  async function load(number, byPerson) {
    const response = await ask("content/" + number, {});
    if (!response || !response.ok) {
      tell("");
      if (response) { await refused(response); } else { complain("There is no connection. Please try again."); }
      return;
    }
    content.innerHTML = await response.text();
    document.querySelector(".intro").hidden = number > 1;
    progress.value = number - 1;
    complain("");
    if (byPerson) {
      window.scrollTo(0, 0);
      content.querySelector("h2").focus({ preventScroll: true });
    }
  }

  function missing(form) {
    let first = null;
    for (const box of form.querySelectorAll(".question")) {
      const needs = box.dataset.required || (box.querySelector("textarea[data-required]") || {}).value === "";
      const given = box.querySelector("input:checked") || (box.querySelector("textarea") || {}).value;
      const lacks = Boolean(needs) && !given;
      box.classList.toggle("missing", lacks);
      if (lacks && !first) { first = box; }
    }
    return first;
  }

  async function save(form) {
    const number = Number(form.dataset.number);
    const first = missing(form);
    if (first) {
      complain("Please answer the questions that are marked.");
      first.scrollIntoView({ block: "center" });
      first.querySelector("input, textarea").focus({ preventScroll: true });
      return;
    }
    tell("Saving…", true);
    const response = await ask("page/" + number, {
      method: "POST",
      headers: { "X-CSRFToken": survey.dataset.csrf, "Content-Type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams(new FormData(form)),
    });
    if (!response || !response.ok) {
      tell("");
      if (response) { await refused(response); } else { complain("There is no connection. Your answers are still on this page."); }
      return;
    }
    const body = await response.json();
    tell("Saved ✓");
    if (body.done) { location.href = body.done; return; }
    await load(body.next, true);
  }

  async function alone(button, work) {
    if (busy) { return; }
    busy = true;
    if (button) { button.disabled = true; }
    try { await work(); } finally {
      busy = false;
      if (button) { button.disabled = false; }
    }
  }

  content.addEventListener("submit", (event) => {
    event.preventDefault();
    alone(event.target.querySelector("#next"), () => save(event.target));
  });
  content.addEventListener("click", (event) => {
    if (event.target.id === "back") {
      const number = Number(document.getElementById("page").dataset.number);
      tell("");
      alone(event.target, () => load(number - 1, true));
    }
  });
  content.addEventListener("change", (event) => {
    tell("");
    event.target.closest(".question").classList.remove("missing");
    if (!content.querySelector(".missing")) { complain(""); }
  });
  alone(null, () => load(Number(survey.dataset.current), false));
})();
