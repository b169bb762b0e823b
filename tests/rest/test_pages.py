"""The page that shows the contract, in a real browser: it draws everything, and its calls and events work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from realtime_server.rest.routes import OPERATIONS
from schemas import CLIENT_EVENTS, MESSAGE_TYPES
from tests.rest.browser import CHROMIUM, open_page
from tests.rest.conftest import Person, Server

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")


async def test_the_page_shows_the_contract_and_tries_it(server: Server, pat: Person, tmp_path: Path) -> None:
    session = await server.session(pat)
    async with open_page(f"{server.url}/api/docs", tmp_path) as page:
        await page.until("document.querySelectorAll('#broadcasts details').length")
        drawn = await page.run("[...document.querySelectorAll('#operations > details')].map(item => item.id)")
        assert sorted(drawn) == sorted(operation.name for operation in OPERATIONS)
        assert await page.run("document.querySelectorAll('#events > details').length") == len(CLIENT_EVENTS) + 1
        assert await page.run("document.querySelectorAll('#broadcasts > details').length") == len(MESSAGE_TYPES)

        await page.run(f"document.getElementById('token').value = {json.dumps(pat.token)}")
        await page.run("document.getElementById('get_session').open = true")
        await page.run(f"document.getElementById('get_session-path-session_id').value = {json.dumps(session)}")
        await page.run("document.querySelector('#get_session button').click()")
        shown = await page.until(
            "(text => text.includes('{') && text)(document.querySelector('#get_session pre').textContent)"
        )
        assert shown.startswith("200 OK")
        assert session in shown

        await page.run("document.getElementById('connect').click()")
        await page.until("document.getElementById('connection').textContent === 'connected'")
        await page.run(
            "window.item = [...document.querySelectorAll('#events > details')]"
            ".find(item => item.querySelector('summary code').textContent === 'join'); item.open = true;"
            f"item.querySelector('textarea').value = {json.dumps(json.dumps({'session_id': session}))};"
            "item.querySelector('button').click()"
        )
        answer = await page.until("(text => text.includes('{') && text)(item.querySelector('pre').textContent)")
        assert json.loads(answer)["ok"] is True
        await pat.post(f"/sessions/{session}/comments", {"text": "<img src=x onerror=alert(1)>"})
        await page.until("document.getElementById('received').textContent.includes('comment.added')")
        assert await page.run("document.querySelectorAll('img').length") == 0
        assert page.complaints == []


async def test_a_link_to_an_error_opens_the_page_there(server: Server, tmp_path: Path) -> None:
    async with open_page(f"{server.url}/api/docs#error-locked", tmp_path) as page:
        place = "document.getElementById('error-locked')?.getBoundingClientRect()"
        top = await page.until(f"(box => box && box.top < innerHeight && box.top + 1)({place})")
        assert top > 0
