"""What the page asks for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote

from aiohttp import web

from colorize_core.errors import ColorizeError, InputError
from colorize_core.review import edits, listing
from colorize_core.review.access import enter
from colorize_core.review.catalog import Entry
from colorize_core.review.desk import DESK, Desk
from colorize_core.review.pictures import LARGEST, Side, jpeg
from colorize_core.review.references import store_reference
from colorize_core.review.share import share, share_name
from colorize_core.review.thumbs import thumbnail

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_STATIC: Final = Path(__file__).parent / "static"
_PING_SECONDS: Final = 15.0
ROUTES: Final = web.RouteTableDef()


def _said(handler: Handler) -> Handler:
    """Errors of this project as one line for the page."""

    @wraps(handler)
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except ColorizeError as error:
            status = 422 if isinstance(error, InputError) else 400
            return web.json_response(
                {"error": error.message, "remedy": error.remedy}, status=status
            )

        except OSError as error:  # a full disk, a share that went away
            said = {"error": f"{error.filename or 'the server'}: {error.strerror or error}"}
            return web.json_response(said, status=500)

    return answer


@ROUTES.get("/")
async def page(request: web.Request) -> web.StreamResponse:
    """The page itself; with the token, the door to it."""
    if "token" in request.query:
        return enter(request.app[DESK].access)
    return web.FileResponse(_STATIC / "index.html")


ROUTES.static("/static", _STATIC)


@ROUTES.get("/api/state")
@_said
async def state(request: web.Request) -> web.StreamResponse:
    """What the page shows around the items."""
    desk = request.app[DESK]
    found = await desk.in_thread(listing.overview, desk.review, desk.job.state())
    return web.json_response(found | {"shot": desk.shots.state.tree()})


@ROUTES.get("/api/items")
@_said
async def items(request: web.Request) -> web.StreamResponse:
    """Some of the items, filtered and sorted."""
    desk, query = request.app[DESK], request.query
    return web.json_response(
        await desk.in_thread(
            listing.listed,
            desk.review,
            show=query.get("show", "all"),
            sort=query.get("sort", "doubt"),
            find=query.get("find", ""),
            start=_whole(query, "start", 0, 10**9, 0),
            count=_whole(query, "count", 1, 500, 60),
        )
    )


@ROUTES.get("/api/item/{id}")
@_said
async def item(request: web.Request) -> web.StreamResponse:
    """One item with all that was said of it."""
    desk = request.app[DESK]
    return web.json_response(await desk.in_thread(listing.detailed, desk.review, _entry(request)))


@ROUTES.get("/thumb/{id}/{side}")
@_said
async def thumb(request: web.Request) -> web.StreamResponse:
    """A small picture for the grid, or of a shot."""
    desk = request.app[DESK]
    number = _whole(request.query, "shot", 0, 10**6, -1)
    data = await desk.in_thread(
        thumbnail, desk.review, _entry(request), _side(request), None if number < 0 else number
    )
    return _picture(data, keeps=True)


@ROUTES.get("/picture/{id}/{side}")
@_said
async def picture(request: web.Request) -> web.StreamResponse:
    """The picture before or after; without a size, all its pixels."""
    desk = request.app[DESK]
    place = _place(request.query)
    entry, side = _entry(request), _side(request)
    pixels = await desk.in_thread(desk.review.pictures.shown, entry, side, **place)
    return _picture(await desk.in_thread(jpeg, pixels), keeps=True)


@ROUTES.get("/api/film/{id}")
@_said
async def film(request: web.Request) -> web.StreamResponse:
    """How long a film is, which means reading it once."""
    desk, entry = request.app[DESK], _entry(request)
    return web.json_response(await desk.in_thread(desk.review.pictures.length, entry))


@ROUTES.get("/live/{id}")
@_said
async def live(request: web.Request) -> web.StreamResponse:
    """The picture as the next run would color it; settings in the query are only tried."""
    desk, query = request.app[DESK], request.query
    entry, place = _entry(request), _place(query)
    tried = edits.checked("set", {k: json.loads(query[k]) for k in edits.SETTINGS if k in query})
    opened = await desk.in_thread(desk.live.opened, entry, **place)
    pixels = await desk.by_generator(desk.live.colored, entry, opened, tried)
    return _picture(await desk.in_thread(jpeg, pixels))


@ROUTES.post("/api/event")
@_said
async def event(request: web.Request) -> web.StreamResponse:
    """Record what a reviewer did."""
    desk, body = request.app[DESK], await _body(request)
    entry = desk.review.entry(str(body["item"])) if body.get("item") else None
    do = edits.text(body.get("do", ""), "who")
    value = edits.checked(do, body.get("value"))
    recorded = await desk.in_thread(desk.review.record, do, entry, value, *_author(body))
    return await _after(desk, entry, recorded.id)


@ROUTES.post("/api/undo")
@_said
async def undo(request: web.Request) -> web.StreamResponse:
    """Take back what this browser did last to an item."""
    desk, body = request.app[DESK], await _body(request)
    entry = desk.review.entry(str(body.get("item")))
    recorded = await desk.in_thread(desk.review.undo, entry, *_author(body))
    return await _after(desk, entry, recorded.id if recorded else "")


@ROUTES.post("/api/reference/{id}")
@_said
async def reference(request: web.Request) -> web.StreamResponse:
    """Keep a picture in color as a reference of an item."""
    desk, query = request.app[DESK], request.query
    entry, data = _entry(request), await request.read()
    name = edits.text(query.get("name", ""), "note")
    value: dict[str, Any] = {
        "file": await desk.in_thread(store_reference, desk.review.out, data, name)
    }
    if entry.is_film:
        value["time"] = edits.number(float(query.get("time", "0")), "time", 0, 1e7)
    author = _author(query)
    recorded = await desk.in_thread(desk.review.record, "reference", entry, value, *author)
    return await _after(desk, entry, recorded.id)


@ROUTES.post("/api/shot")
@_said
async def shot(request: web.Request) -> web.StreamResponse:
    """Color the shot that a film shows at a time, or stop that."""
    desk, body = request.app[DESK], await _body(request)
    if body.get("stop"):
        desk.shots.stop()
    else:
        entry = desk.review.entry(str(body.get("item")))
        desk.shots.start(entry, edits.number(body.get("time"), "time", 0, 1e7))
    desk.tell_shot()
    return web.json_response(desk.shots.state.tree())


@ROUTES.get(r"/shot/{number:\d{1,9}}")
@_said
async def clip(request: web.Request) -> web.StreamResponse:
    """The finished clip of a shot."""
    path = request.app[DESK].shots.clip(int(request.match_info["number"]))
    return web.FileResponse(path, headers={"Cache-Control": "no-store"})


@ROUTES.post("/api/job")
@_said
async def job(request: web.Request) -> web.StreamResponse:
    """Run the job for what changed, or stop it."""
    desk, body = request.app[DESK], await _body(request)
    if body.get("stop"):
        await desk.job.stop()
    elif not desk.job.state()["running"]:
        await desk.write_now()
        if desk.review.problem:
            return web.json_response({"error": desk.review.problem}, status=409)
        await desk.job.start(await desk.in_thread(desk.review.write_redo_list))
    state = await desk.in_thread(desk.job.state)
    desk.tell({"job": state})
    return web.json_response(state)


@ROUTES.get("/share/{id}")
@_said
async def shared(request: web.Request) -> web.StreamResponse:
    """One file with before and after, to send to somebody."""
    desk, entry = request.app[DESK], _entry(request)
    name = share_name(entry)
    target = desk.review.folder.review / "shared" / f"{entry.id}{Path(name).suffix}"
    await desk.in_thread(share, desk.review, entry, target)
    value = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    return web.FileResponse(target, headers={"Content-Disposition": value})


@ROUTES.get("/api/news")
async def news(request: web.Request) -> web.StreamResponse:
    """What happens, as it happens."""
    desk = request.app[DESK]
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    response.headers["Cache-Control"] = "no-store"
    await response.prepare(request)
    queue = desk.listen()
    try:
        while True:
            try:
                said = json.dumps(await asyncio.wait_for(queue.get(), _PING_SECONDS))
                await response.write(f"data: {said}\n\n".encode())
            except TimeoutError:
                await response.write(b": still here\n\n")
    except ConnectionResetError:  # the browser left
        return response
    finally:
        desk.leave(queue)


async def _after(desk: Desk, entry: Entry | None, event_id: str) -> web.Response:
    """The answer to an edit: the item as it is now, which the other browsers get to know, too."""
    desk.write_soon()
    if entry is None:
        desk.tell({"state": True})
        return web.json_response({"event": event_id})
    desk.tell({"items": [entry.id]})
    found = await desk.in_thread(listing.detailed, desk.review, entry)
    return web.json_response({"event": event_id, "item": found})


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError as error:
        raise web.HTTPBadRequest(text="not JSON") from error
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="not an object")
    return body


def _author(given: Mapping[str, Any]) -> tuple[str, str]:
    return edits.text(given.get("who", ""), "who"), edits.text(given.get("session", ""), "who")


def _entry(request: web.Request) -> Entry:
    return request.app[DESK].review.entry(request.match_info["id"])


def _side(request: web.Request) -> Side:
    if request.match_info["side"] not in ("before", "after"):
        raise web.HTTPNotFound
    return cast("Side", request.match_info["side"])


def _place(query: Mapping[str, str]) -> dict[str, Any]:
    """Page, time and size that a picture is asked for."""
    try:
        time = edits.number(float(query.get("time", "0")), "time", 0, 1e7)
    except ValueError as error:
        raise web.HTTPBadRequest(text="time") from error
    return {
        "page": _whole(query, "page", 1, 10**6, 1),
        "time": time,
        "long_side": _whole(query, "size", 16, LARGEST, LARGEST),
    }


def _whole(query: Mapping[str, str], name: str, low: int, high: int, default: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or not low <= int(text) <= high:
        raise web.HTTPBadRequest(text=f"{name}: not a whole number from {low} to {high}")
    return int(text)


def _picture(data: bytes, *, keeps: bool = False) -> web.Response:
    """A JPEG; one whose address names its version may be kept by the browser."""
    response = web.Response(body=data, content_type="image/jpeg")
    if keeps:
        response.headers["Cache-Control"] = "private, max-age=86400, immutable"
    return response
