# The image can be a user's server of a JupyterHub: jupyterhub-singleuser starts,
# asks its hub who a token belongs to, answers that user, and lets a kernel be talked
# to over its websocket. The hub here is a stand-in that knows one user.
def check():
    import json, os, secrets, shutil, socket, subprocess, tempfile, threading, time
    import urllib.error, urllib.request
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    program = shutil.which("jupyterhub-singleuser")
    if not program:
        raise Problem("jupyterhub-singleuser is not on the PATH: install jupyterhub in the image")
    ran = subprocess.run([program, "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    version = ran.stdout.decode(errors="replace").strip().splitlines()[-1:]
    if ran.returncode or not version:
        raise Problem(f"jupyterhub-singleuser --version ended with code {ran.returncode}: {ran.stdout.decode(errors='replace')[-500:]}")
    version = version[0].strip()

    name, token = "gauntlet", secrets.token_hex(16)
    user = {
        "kind": "user", "name": name, "admin": False, "groups": [], "session_id": None,
        "scopes": ["access:servers!user=" + name, "access:servers"],
    }

    class Hub(BaseHTTPRequestHandler):
        def reply(self, body, code=200):
            data = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("X-JupyterHub-Version", version)
            self.end_headers()
            self.wfile.write(data)

        def known(self):
            # Older versions put the token into the path.
            return token in self.path or token in self.headers.get("Authorization", "")

        def do_GET(self):
            if self.path.rstrip("/").endswith("/hub/api"):
                self.reply({"version": version})
            elif self.known() and ("/user" in self.path or "/authorizations/" in self.path):
                self.reply(user)
            else:
                self.reply({}, 403)

        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.reply({}, 200 if self.known() else 403)

        def log_message(self, *_):
            pass

    hub = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    api = f"http://127.0.0.1:{hub.server_port}/hub/api"
    base = f"/user/{name}/"
    env = dict(
        os.environ,
        JUPYTERHUB_API_TOKEN=token, JPY_API_TOKEN=token, JUPYTERHUB_API_URL=api,
        JUPYTERHUB_ACTIVITY_URL=f"{api}/users/{name}/activity",
        JUPYTERHUB_BASE_URL="/", JUPYTERHUB_HOST="", JUPYTERHUB_USER=name, JUPYTERHUB_SERVER_NAME="",
        JUPYTERHUB_CLIENT_ID="jupyterhub-user-" + name,
        JUPYTERHUB_SERVICE_PREFIX=base, JUPYTERHUB_SERVICE_URL=f"http://127.0.0.1:{port}{base}",
        JUPYTERHUB_OAUTH_CALLBACK_URL=base + "oauth_callback",
        JUPYTERHUB_OAUTH_SCOPES=json.dumps(["access:servers!user=" + name]),
        JUPYTERHUB_OAUTH_ACCESS_SCOPES=json.dumps(["access:servers!user=" + name]),
    )
    log = tempfile.NamedTemporaryFile()
    start = time.time()
    server = subprocess.Popen([program], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def logged():
        with open(log.name, "rb") as lines:  # a file of its own: the server writes where log stands
            return [l.replace(token, "TOKEN") for l in lines.read().decode(errors="replace").splitlines() if l.strip()]

    def said():
        lines = logged()
        bad = [l for l in lines if l.startswith(("[C ", "[E ")) or "Error" in l]
        return (bad or lines or ["nothing"])[-1]

    def ask(method, path, body=None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{base}{path}", method=method, headers={"Authorization": "token " + token},
            data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def talk(kernel):
        """A cell over the kernel's websocket, as the browser does it."""
        import asyncio, uuid

        from tornado.httpclient import HTTPRequest
        from tornado.websocket import websocket_connect

        async def cell():
            where = HTTPRequest(f"ws://127.0.0.1:{port}{base}api/kernels/{kernel}/channels", headers={"Authorization": "token " + token})
            try:
                line = await asyncio.wait_for(websocket_connect(where), 20)
            except asyncio.TimeoutError:
                raise Problem("the server answers, but the websocket of a kernel never completes its handshake: notebooks would open, and no cell would run; "
                              "its notebook server and its tornado do not work together")
            except Exception as error:
                raise Problem(f"the server answers, but the websocket of a kernel is refused ({type(error).__name__}: {error}): notebooks would open, and no cell would run")
            header = {"msg_id": uuid.uuid4().hex, "username": name, "session": uuid.uuid4().hex, "msg_type": "execute_request", "version": "5.3", "date": ""}
            content = {"code": "1 + 1", "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}
            await line.write_message(json.dumps({"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell", "buffers": []}))
            end = time.time() + 60
            while True:
                try:
                    message = await asyncio.wait_for(line.read_message(), max(0.1, end - time.time()))
                except asyncio.TimeoutError:
                    raise Problem("the websocket of a kernel opens, but a cell sent over it is never answered")
                if message is None:
                    raise Problem("the websocket of a kernel was closed before a cell was answered")
                heard = json.loads(message)
                if heard.get("msg_type") == "execute_reply" and heard.get("parent_header", {}).get("msg_id") == header["msg_id"]:
                    line.close()
                    if heard["content"]["status"] != "ok":
                        raise Problem(f"a cell sent over a kernel's websocket ended with {heard['content'].get('ename')}")
                    return

        asyncio.run(cell())

    try:
        last = "it did not listen"
        while time.time() - start < 90:
            if server.poll() is not None:
                raise Problem(f"jupyterhub-singleuser {version} ended with code {server.returncode}: {said()}")
            try:
                ask("GET", "api/status")["started"]
                break
            except urllib.error.HTTPError as error:
                # While it starts it may not know its hub yet; a refusal that lasts is one.
                last = f"it answered its user with HTTP status {error.code}"
            except (OSError, ValueError, KeyError, TypeError) as error:
                if not isinstance(getattr(error, "reason", error), ConnectionRefusedError):
                    last = f"{type(error).__name__}: {error}"
            time.sleep(0.1)
        else:
            raise Problem(f"jupyterhub-singleuser {version} is of no use after 90 s: {last}; its log: {said()}")
        ready = time.time() - start
        talk(ask("POST", "api/kernels", {})["id"])
        # What a cell does not suffer from may still be wrong: an extension that is not there.
        errors = [l for l in logged() if l.startswith(("[E ", "[C ", "Traceback", "ERROR", "CRITICAL"))]
        if errors:
            raise Problem(f"jupyterhub-singleuser {version} starts with errors in its log: {errors[0]}" + (f" (and {len(errors) - 1} more)" if errors[1:] else ""))
        return f"jupyterhub-singleuser {version} answers after {ready:.1f} s without an error, and runs a cell over a websocket"
    finally:
        server.kill()  # its pod ends soon, and a polite end takes seconds
