package e2e

import (
	"fmt"
	"testing"
	"time"

	"gauntlet/internal/hub"
)

// forgets makes a hub that takes the routes of its users away whenever it looks at them.
const forgets = `
from jupyterhub.proxy import ConfigurableHTTPProxy


class Forgetful(ConfigurableHTTPProxy):
    async def check_routes(self, *args, **kwargs):
        for route in await self.get_all_routes():
            if "/user/" in route:
                await self.delete_route(route)


c.JupyterHub.proxy_class = Forgetful
`

// routeDrills are about the way from users to their servers.
func routeDrills(t *testing.T) {
	l := newLine(t, "drill-routes", 30308)
	address := fmt.Sprintf("http://172.29.0.11:%d", l.port)
	serverOf(t, address, "linus")
	l.owns = l.objects()
	anybody := hub.New(address, "")
	reached := func() error { return anybody.Routed(t.Context(), "/user/linus/") }
	l.drills(
		drill{
			name: "a hub that loses its routes",
			fault: func(l *line) {
				const config = "chart/files/jupyterhub_config.py"
				l.write(config, l.text(config)+forgets)
			},
			during: func(l *line, p *process) time.Time {
				p.until("Deployment/hub", "1 pod ready")
				l.until("the user's server cannot be reached", func() bool { return reached() != nil })
				return time.Now()
			},
			says: []string{"servers of ", "linus", "run and cannot be reached"},
		},
	)
	if err := reached(); err != nil {
		t.Errorf("after the rollback: %v", err)
	}
}
