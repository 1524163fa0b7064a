"""One pod: JupyterHub and, as its child, the proxy. Values come as data."""

import json
from pathlib import Path

from jupyterhub.auth import DummyAuthenticator
from kubespawner import KubeSpawner

values = json.loads(Path("/etc/tiny/config/values.json").read_text())
token = Path("/etc/tiny/api/token").read_text().strip()
PROBE = "gauntlet-probe-"


class Authenticator(DummyAuthenticator):
    def check_blocked_users(self, username, authentication=None):
        return not username.startswith(PROBE) and super().check_blocked_users(username, authentication)


c = get_config()  # noqa: F821 (given by JupyterHub)

c.JupyterHub.db_url = "sqlite:////srv/jupyterhub/jupyterhub.sqlite"
c.JupyterHub.bind_url = "http://:8000"
c.JupyterHub.hub_bind_url = "http://:8081"
c.JupyterHub.hub_connect_url = "http://tiny-hub:8081"
# The proxy is our child: it stops with us, and with it every route.
c.JupyterHub.cleanup_servers = True
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0, "slow_stop_timeout": 0}

c.JupyterHub.authenticator_class = Authenticator
c.Authenticator.allow_existing_users = False
c.Authenticator.admin_users = set(values["people"]["admins"])
c.Authenticator.allowed_users = {*values["people"]["members"], *values["people"]["admins"]}

c.JupyterHub.services = [{"name": "gauntlet", "api_token": token}]
# Reaches every user, unlike the role in the chart pangeo-hub: there are no groups here.
c.JupyterHub.load_roles = [
    {
        "name": "gauntlet",
        "services": ["gauntlet"],
        "scopes": ["admin:users", "servers", "access:servers", "tokens", "read:hub"],
    }
]

c.JupyterHub.spawner_class = KubeSpawner
c.KubeSpawner.image = values["image"]
c.KubeSpawner.cmd = ["jupyterhub-singleuser"]
c.KubeSpawner.start_timeout = 120
c.KubeSpawner.http_timeout = 120
c.KubeSpawner.delete_grace_period = 2
c.KubeSpawner.uid = 1000
c.KubeSpawner.fs_gid = 1000
c.KubeSpawner.mem_guarantee = "128M"
c.KubeSpawner.storage_pvc_ensure = True
c.KubeSpawner.storage_capacity = values["home"]
c.KubeSpawner.storage_access_modes = ["ReadWriteOnce"]
c.KubeSpawner.volumes = [{"name": "home", "persistentVolumeClaim": {"claimName": "{pvc_name}"}}]
c.KubeSpawner.volume_mounts = [{"name": "home", "mountPath": "/home/jovyan"}]
