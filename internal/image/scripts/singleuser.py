# The image can be a user's server of a JupyterHub: jupyterhub-singleuser starts,
# asks its hub who a token belongs to, and answers that user. The hub here is a
# stand-in that knows one user.
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
    log = tempfile.TemporaryFile()
    start = time.time()
    server = subprocess.Popen([program], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def said():
        log.seek(0)
        lines = [l for l in log.read().decode(errors="replace").splitlines() if l.strip()]
        bad = [l for l in lines if l.startswith(("[C ", "[E ")) or "Error" in l]
        return (bad or lines or ["nothing"])[-1].replace(token, "TOKEN")

    try:
        last = "it did not listen"
        while time.time() - start < 90:
            if server.poll() is not None:
                raise Problem(f"jupyterhub-singleuser {version} ended with code {server.returncode}: {said()}")
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}{base}api/status", headers={"Authorization": "token " + token})
            try:
                with urllib.request.urlopen(request, timeout=5) as answer:
                    json.load(answer)["started"]
                    return f"jupyterhub-singleuser {version} answers after {time.time() - start:.1f} s"
            except urllib.error.HTTPError as error:
                # While it starts it may not know its hub yet; a refusal that lasts is one.
                last = f"it answered its user with HTTP status {error.code}"
            except (OSError, ValueError, KeyError) as error:
                if not isinstance(getattr(error, "reason", error), ConnectionRefusedError):
                    last = f"{type(error).__name__}: {error}"
            time.sleep(0.2)
        raise Problem(f"jupyterhub-singleuser {version} is of no use after 90 s: {last}; its log: {said()}")
    finally:
        server.terminate()
        try:
            server.wait(5)
        except subprocess.TimeoutExpired:
            server.kill()
