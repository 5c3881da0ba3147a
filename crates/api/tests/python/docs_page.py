"""The page of the OpenAPI document in a real browser: it is read, used by keyboard, and sends every call."""

import json
import re
import shutil
import sys

from playwright.sync_api import expect, sync_playwright

ORIGIN = f"http://{sys.argv[1]}"
METHODS = ["get", "post", "put", "patch", "delete"]
# What fits a part of a path; a queue's name, a task's id and the like are any text.
PARTS = {"file": "docs.js"}


# The texts of two words and more beside which nothing is in Chinese; code, values and names are in no language.
IN_ENGLISH = """() => {
  const found = new Set(), texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const { data, parentElement: parent } = texts.currentNode;
    const beside = [...parent.childNodes].filter((one) => one.nodeType === Node.TEXT_NODE).map((one) => one.data).join("");
    const isNone = parent.closest("code, pre, kbd, h1, option, textarea, script, noscript, .path, [hidden]");
    if (!isNone && /[a-z]{2,} [a-z]/i.test(data) && !/\\p{Script=Han}/u.test(beside)) found.add(data.trim());
  }
  return [...found];
}"""


def operations(page):
    document = page.request.get(f"{ORIGIN}/api/openapi.json").json()
    for item in document["paths"].values():
        for method in METHODS:
            if method in item:
                yield item[method]


def opened(context, troubles):
    page = context.new_page()
    # A policy that is broken is said on the console; what the server refuses is, too, and is part of the test.
    page.on("console", lambda said: troubles.append(said.text) if "Content Security" in said.text else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda sent: None if sent.url.startswith(f"{ORIGIN}/") else troubles.append(sent.url))
    page.goto(f"{ORIGIN}/api/docs/")
    expect(page.locator("#version")).to_have_text(re.compile(r"\d"))
    return page


def use_the_keyboard(page):
    page.keyboard.press("/")
    expect(page.locator("#find")).to_be_focused()
    page.keyboard.type("makes an app")
    expect(page.locator("#index a:visible")).to_have_count(1)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    call = page.locator("#apps_create")
    expect(call.locator("summary")).to_be_focused()
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "body":
            break
    page.keyboard.press("Control+Enter")
    expect(call.locator("form [role=status]")).to_have_text(re.compile(r"^201 "))
    page.keyboard.press("/")
    expect(call.locator("textarea"), "a slash is written where one writes").to_have_value(re.compile("/"))
    names = [app["name"] for app in page.request.get(f"{ORIGIN}/api/apps/").json()]
    assert "billing" in names, names
    page.locator("#find").fill("no such call")
    expect(page.locator("#state")).to_have_text("Nothing fits.")
    expect(page.locator("#calls details:visible")).to_have_count(0)
    page.locator("#find").fill("")


def send_every_call(page):
    sent = 0
    for operation in operations(page):
        call = page.locator(f"#{operation['operationId']}")
        if not call.evaluate("made => made.open"):
            call.locator("summary").first.click()
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path":
                name = parameter["name"]
                call.locator(f"[name='{name}']").fill(PARTS.get(name, "1"))
        # What a page shows that forgets to say what it means.
        expect(call).not_to_contain_text(re.compile(r"\[object|undefined|NaN"))
        status = call.locator("form [role=status]")
        stop = call.get_by_role("button", name="Stop")
        call.get_by_role("button", name="Send").click()
        expect(status, operation["operationId"]).to_have_text(re.compile(r"^\d{3} "))
        code = status.text_content().split()[0]
        assert code in operation["responses"], (operation["operationId"], code, call.locator(".answer").text_content())
        if operation["operationId"] == "logs_tail":
            expect(call.locator(".answer")).to_contain_text("event: heartbeat")
            stop.click()
            expect(status).to_contain_text("Stopped.")
        expect(stop).to_be_hidden()
        sent += 1
    assert sent == page.locator("#calls details").count() > 20, sent


def fill_in_parameters(page):
    call = page.locator("#logs_list")
    call.locator("[name='attr.KEY']").fill("attr.disk=sda 1&attr.n=7")
    call.locator("[name='level']").fill("ERROR, WARN")
    call.locator("[name='order']").select_option("asc")
    call.get_by_role("button", name="Send").click()
    curl = call.locator(".curl")
    expect(curl).to_contain_text("level=ERROR&level=WARN&attr.disk=sda+1&attr.n=7&order=asc")
    expect(call.locator(".answer")).to_contain_text("disk is full 盘满")


def read_in_chinese(browser, troubles):
    context = browser.new_context(locale="zh-CN")
    page = opened(context, troubles)
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    call = page.locator("#apps_create")
    expect(call.locator("summary")).to_contain_text("新建应用。")
    call.locator("summary").click()
    expect(call.get_by_role("button", name="发送")).to_be_visible()
    page.locator("#find").fill("新建应用")
    expect(page.locator("#index a:visible")).to_have_count(1)
    page.locator("#find").fill("")
    unfold = "document.querySelectorAll('details').forEach((call) => (call.open = true))"
    page.evaluate(unfold)
    expect(page.locator("#calls form")).to_have_count(page.locator("#calls details").count())
    assert not (rest := page.evaluate(IN_ENGLISH)), f"not in Chinese: {rest}"
    page.locator("#language").select_option("en")
    expect(call.locator("summary")).to_contain_text("Makes an app.")
    page.reload()
    expect(page.locator("html"), "the choice is kept").to_have_attribute("lang", "en")
    context.close()


with sync_playwright() as playwright:
    # Debian's own, which `scripts/test` installs: Playwright's would be fetched from elsewhere.
    browser = playwright.chromium.launch(executable_path=shutil.which("chromium-headless-shell"))
    troubles = []
    context = browser.new_context(locale="en-US")
    page = opened(context, troubles)
    use_the_keyboard(page)
    send_every_call(page)
    fill_in_parameters(page)
    context.close()
    read_in_chinese(browser, troubles)
    assert not troubles, json.dumps(troubles)
    browser.close()
