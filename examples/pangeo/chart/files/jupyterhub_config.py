"""JupyterHub's configuration: the same for every release of this chart.

What differs comes as data: values.json holds the chart's values, the folder
`secret` the keys of the Secret `hub`. Nothing is templated into this program,
so that no value, a user's name least of all, is ever read as code.
"""

import json
from hmac import compare_digest
from pathlib import Path

from jupyterhub import orm, version_info
from jupyterhub.apihandlers.users import UserTokenListAPIHandler
from jupyterhub.auth import DummyAuthenticator
from kubespawner import KubeSpawner
from sqlalchemy.orm import object_session
from traitlets import default

root = Path("/etc/jupyterhub")
values = json.loads((root / "config" / "values.json").read_text())
singleuser = values["singleuser"]
tool = values["gauntlet"]

# Users of the release tool. Its rights reach the members of this group only.
PROBES = "gauntlet-probes"


def secret(key):
    return (root / "secret" / key).read_text().strip()


def is_probe(name):
    return name.startswith(tool["probePrefix"])


class Authenticator(DummyAuthenticator):
    """Lets the listed users in by name and the common password, if there is
    one; nobody as a probe."""

    async def authenticate(self, handler, data):
        password = secret("password").encode()
        if password and not compare_digest(password, data["password"].encode()):
            return None
        return data["username"]

    def check_blocked_users(self, username, authentication=None):
        return not is_probe(username) and super().check_blocked_users(username, authentication)

    def add_user(self, user):
        super().add_user(user)
        # At its start the hub hands over what its database has of a user.
        user = getattr(user, "orm_user", user)
        if is_probe(user.name):
            db = object_session(user)
            group = orm.Group.find(db, PROBES)
            if group is None:
                group = orm.Group(name=PROBES)
                db.add(group)
            if group not in user.groups:
                user.groups.append(group)
            db.commit()


class Spawner(KubeSpawner):
    @default("oauth_access_scopes")
    def _probes_are_open_to_the_tool(self):
        # A server compares scopes without the hub's database: it cannot know
        # who is in a group, so a probe's server must ask for the group by name.
        scopes = super()._default_access_scopes()
        if is_probe(self.user.name):
            scopes.append(f"access:servers!group={PROBES}")
        return scopes


if version_info[0] < 6:

    def tokens_of_users(handler, scope, inherited=UserTokenListAPIHandler.get_scope_filter):
        """JupyterHub looked for a service of the user's name when a service asks
        for a user's token, so that its scope could name no group."""
        allowed = inherited(handler, scope)
        return lambda user, _kind: allowed(user, "user")

    UserTokenListAPIHandler.get_scope_filter = tokens_of_users


c = get_config()  # noqa: F821 (given by JupyterHub)

c.JupyterHub.log_level = values["hub"]["logLevel"]
c.JupyterHub.db_url = "sqlite:////srv/jupyterhub/jupyterhub.sqlite"
c.JupyterHub.upgrade_db = True
c.JupyterHub.cookie_secret = bytes.fromhex(secret("cookie-secret"))
c.CryptKeeper.keys = [bytes.fromhex(secret("crypt-key"))]

# The hub listens on all addresses; proxy and servers find it by its Service.
c.JupyterHub.hub_bind_url = "http://:8081"
c.JupyterHub.hub_connect_url = "http://hub:8081"
c.JupyterHub.bind_url = "http://:8000"
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = "http://proxy-api:8001"
c.ConfigurableHTTPProxy.auth_token = secret("proxy-token")

# An upgrade restarts hub and proxy; servers of users live on.
c.JupyterHub.cleanup_servers = False
c.JupyterHub.last_activity_interval = 60
c.JupyterHub.init_spawners_timeout = 10
# Requests to start or stop answer at once (202); progress is asked for.
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0, "slow_stop_timeout": 0}

# A user whom the tool creates must not become a user who may log in.
c.JupyterHub.authenticator_class = Authenticator
c.Authenticator.allow_all = False
c.Authenticator.allow_existing_users = False
c.Authenticator.admin_users = set(values["auth"]["admin"]["users"])
c.Authenticator.allowed_users = {
    *values["auth"]["whitelist"]["users"],
    *values["auth"]["admin"]["users"],
}

if tool["enabled"]:
    # JupyterHub cannot bind the right to create users to names not yet known.
    # Where the tool's names are known (probeUsers) it gets these names alone.
    # A service cannot make anybody an admin, and what reaches into servers and
    # tokens is bound to the group of probes in either case.
    names = tool["probeUsers"]
    users = [f"admin:users!user={name}" for name in names] or ["admin:users"]
    c.JupyterHub.services = [{"name": "gauntlet", "api_token": secret("gauntlet")}]
    c.JupyterHub.load_groups = {PROBES: {"users": []}}
    c.JupyterHub.load_roles = [
        {
            "name": "gauntlet",
            "description": "Create, use and remove probe users; list who is active; set routes again.",
            "services": ["gauntlet"],
            "scopes": [
                *users,
                f"servers!group={PROBES}",
                f"access:servers!group={PROBES}",
                f"tokens!group={PROBES}",
                "read:servers",
                "list:users",
                "read:users:activity",
                "read:hub",
                "proxy",  # have lost routes set again
            ],
        }
    ]

c.JupyterHub.spawner_class = Spawner
c.KubeSpawner.image = "{name}:{tag}".format(**singleuser["image"])
c.KubeSpawner.image_pull_policy = singleuser["image"]["pullPolicy"]
c.KubeSpawner.cmd = singleuser["cmd"]
c.KubeSpawner.start_timeout = singleuser["startTimeout"]
c.KubeSpawner.http_timeout = singleuser["startTimeout"]
c.KubeSpawner.k8s_api_request_timeout = 10
c.KubeSpawner.delete_grace_period = 2
c.KubeSpawner.uid = singleuser["uid"]
c.KubeSpawner.fs_gid = singleuser["uid"]
c.KubeSpawner.privileged = singleuser["privileged"]
c.KubeSpawner.allow_privilege_escalation = singleuser["privileged"]
c.KubeSpawner.service_account = singleuser["serviceAccountName"] or None
c.KubeSpawner.node_selector = singleuser["nodeSelector"]
c.KubeSpawner.environment = singleuser["extraEnv"]
c.KubeSpawner.extra_pod_config = {"enableServiceLinks": False}
c.KubeSpawner.cpu_limit = singleuser["cpu"].get("limit")
c.KubeSpawner.cpu_guarantee = singleuser["cpu"].get("guarantee")
c.KubeSpawner.mem_limit = singleuser["memory"].get("limit")
c.KubeSpawner.mem_guarantee = singleuser["memory"].get("guarantee")

# One volume per user, removed with the user and not before.
storage = singleuser["storage"]
c.KubeSpawner.storage_pvc_ensure = storage["type"] == "dynamic"
c.KubeSpawner.delete_pvc = storage["type"] == "dynamic"
if storage["type"] == "dynamic":
    c.KubeSpawner.storage_capacity = storage["capacity"]
    c.KubeSpawner.storage_access_modes = ["ReadWriteOnce"]
    if storage["storageClassName"]:
        c.KubeSpawner.storage_class = storage["storageClassName"]
    c.KubeSpawner.volumes = [
        {"name": "home", "persistentVolumeClaim": {"claimName": "{pvc_name}"}}
    ]
    c.KubeSpawner.volume_mounts = [
        {"name": "home", "mountPath": storage["homeMountPath"]}
    ]
