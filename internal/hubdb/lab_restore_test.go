package hubdb

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"gauntlet/internal/kube"
)

// imageEnv names an image with Python, such as that of the demonstration's hub.
const imageEnv = "GAUNTLET_TEST_HUB"

// labClaim and labDeployment are a hub as Copy and Restore see one: a process that has a
// database of JupyterHub's form open, in write-ahead mode, on a claim.
const (
	labClaim = `
metadata: {name: hub-db-dir}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 16Mi}}}`

	labDeployment = `
metadata: {name: hub}
spec:
  replicas: 1
  strategy: {type: Recreate}
  selector: {matchLabels: {component: hub}}
  template:
    metadata: {labels: {component: hub}}
    spec:
      terminationGracePeriodSeconds: 1
      securityContext: {fsGroup: 1000}
      containers:
        - name: hub
          image: IMAGE
          command: [python3, -c, PROGRAM]
          readinessProbe: {periodSeconds: 1, exec: {command: [test, -f, /srv/jupyterhub/jupyterhub.sqlite]}}
          volumeMounts: [{name: db, mountPath: /srv/jupyterhub}]
      volumes: [{name: db, persistentVolumeClaim: {claimName: hub-db-dir}}]`

	// The database of an older hub, with a user whose server runs.
	labProgram = `
import signal, sqlite3, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
db = sqlite3.connect('/srv/jupyterhub/jupyterhub.sqlite')
db.executescript("""
PRAGMA journal_mode=wal;
CREATE TABLE IF NOT EXISTS alembic_version (version_num TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS spawners (user_id INTEGER, name TEXT, server_id INTEGER);
INSERT INTO alembic_version SELECT 'older' WHERE NOT EXISTS (SELECT 1 FROM alembic_version);
INSERT OR IGNORE INTO users VALUES (1, 'linus');
INSERT INTO spawners SELECT 1, '', 1 WHERE NOT EXISTS (SELECT 1 FROM spawners);
""")
while True:
    signal.pause()
`
)

// A labHub is a hub in a namespace of its own.
type labHub struct {
	t  *testing.T
	c  *kube.Client
	ns string
	d  *appsv1.Deployment
}

func newLabHub(t *testing.T) *labHub {
	t.Helper()
	name, image := os.Getenv(contextEnv), os.Getenv(imageEnv)
	if name == "" || image == "" {
		t.Skipf("needs a cluster: set %s and %s", contextEnv, imageEnv)
	}
	c, err := kube.Connect(name)
	if err != nil {
		t.Fatal(err)
	}
	h := &labHub{t: t, c: c, d: &appsv1.Deployment{}}
	ns, err := c.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "h-hubdb-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	h.ns = ns.Name
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := c.CoreV1().Namespaces().Delete(ctx, h.ns, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	var claim corev1.PersistentVolumeClaim
	if err := yaml.Unmarshal([]byte(labClaim), &claim); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(labDeployment), h.d); err != nil {
		t.Fatal(err)
	}
	h.d.Spec.Template.Spec.Containers[0].Image = image
	h.d.Spec.Template.Spec.Containers[0].Command[2] = labProgram
	if _, err := c.CoreV1().PersistentVolumeClaims(h.ns).Create(t.Context(), &claim, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.AppsV1().Deployments(h.ns).Create(t.Context(), h.d, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	h.ready()
	return h
}

// ready waits until the hub runs.
func (h *labHub) ready() {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 2*time.Minute)
	defer cancel()
	for {
		pods, err := h.c.CoreV1().Pods(h.ns).List(ctx, metav1.ListOptions{LabelSelector: "component=hub"})
		if err != nil {
			h.t.Fatal(err)
		}
		if len(pods.Items) == 1 {
			if _, err := h.c.WaitReady(ctx, h.ns, pods.Items[0].Name); err != nil {
				h.t.Fatal(err)
			}
			return
		}
		if err := kube.Sleep(ctx, 200*time.Millisecond); err != nil {
			h.t.Fatal(err)
		}
	}
}

// run runs Python in the hub; db is its database.
func (h *labHub) run(code string) string {
	h.t.Helper()
	pod, container, err := hubPod(h.t.Context(), h.c, h.ns)
	if err != nil {
		h.t.Fatal(err)
	}
	var out bytes.Buffer
	code = "import glob, os, sqlite3\npath = '/srv/jupyterhub/jupyterhub.sqlite'\ndb = sqlite3.connect(path)\n" + code + "\ndb.commit()\n"
	if err := h.c.Exec(h.t.Context(), kube.Exec{Namespace: h.ns, Pod: pod, Container: container, Stdout: &out, Command: []string{"python3", "-c", code}}); err != nil {
		h.t.Fatal(err)
	}
	return strings.TrimSpace(out.String())
}

// holds is the schema and the users of the hub's database.
func (h *labHub) holds() string {
	return h.run(`print(db.execute('SELECT version_num FROM alembic_version').fetchone()[0], *sorted(n for (n,) in db.execute('SELECT name FROM users')))`)
}

// migrate does what a newer hub does, and lets a user come after the copy.
func (h *labHub) migrate(user string) {
	h.run(fmt.Sprintf(`db.execute("UPDATE alembic_version SET version_num = 'newer'")
db.execute("INSERT INTO users (name) VALUES (?)", (%[1]q,))
db.execute("INSERT INTO spawners SELECT id, 'big', 7 FROM users WHERE name = ?", (%[1]q,))`, user))
}

func (h *labHub) copy(at time.Time) string {
	h.t.Helper()
	b, err := Copy(h.t.Context(), h.c, h.ns, at)
	if err != nil {
		h.t.Fatal(err)
	}
	return b.Stamp
}

// restore stops the hub, puts a copy back and starts the hub, and looks that no pod is left.
func (h *labHub) restore(stamps ...string) (Restored, error) {
	h.t.Helper()
	if err := Stop(h.t.Context(), h.c, h.ns); err != nil {
		h.t.Fatal(err)
	}
	r, err := Restore(h.t.Context(), h.c, h.ns, stamps, h.d)
	if _, gone := h.c.CoreV1().Pods(h.ns).Get(h.t.Context(), podName, metav1.GetOptions{}); !apierrors.IsNotFound(gone) {
		h.t.Errorf("the pod is left: %v", gone)
	}
	if err := Start(h.t.Context(), h.c, h.ns); err != nil {
		h.t.Fatal(err)
	}
	h.ready()
	return r, err
}

func TestLabAMigratedDatabaseIsPutBackAndNeverLost(t *testing.T) {
	h := newLabHub(t)
	at := time.Date(2026, 11, 26, 17, 0, 0, 0, time.UTC)
	first := h.copy(at)
	h.migrate("barbara")

	loss, err := Look(t.Context(), h.c, h.ns, []string{first})
	if err != nil || strings.Join(loss.Users, " ") != "barbara" || strings.Join(loss.Servers, " ") != "barbara/big" {
		t.Errorf("looked: %+v, %v", loss, err)
	}
	if got := h.holds(); got != "newer barbara linus" {
		t.Errorf("a look has changed it: %s", got)
	}
	r, err := h.restore(first)
	if err != nil || strings.Join(r.Users, " ") != "barbara" || strings.Join(r.Servers, " ") != "barbara/big" || !strings.HasSuffix(r.Kept, ".migrated-"+first) {
		t.Errorf("restored: %+v, %v", r, err)
	}
	if got := h.holds(); got != "older linus" {
		t.Errorf("the database holds %s", got)
	}
	again, err := h.restore(first)
	if err != nil || again.Migrated() {
		t.Errorf("restored again: %+v, %v", again, err)
	}

	// What came since is in a later copy of the same schema; what was kept stays.
	h.run(`db.execute("INSERT INTO users (name) VALUES ('grace')")`)
	second := h.copy(at.Add(time.Second))
	h.migrate("edsger")
	third := h.copy(at.Add(2 * time.Second)) // of a database that is migrated already
	r, err = h.restore(first, second, third)
	if err != nil || !strings.HasSuffix(r.File, second) || strings.Join(r.Users, " ") != "edsger" {
		t.Errorf("restored the second: %+v, %v", r, err)
	}
	if got := h.holds(); got != "older grace linus" {
		t.Errorf("the database holds %s", got)
	}
	h.migrate("ken")
	if r, err = h.restore(second); err != nil || !strings.HasSuffix(r.Kept, ".migrated-"+second+"-2") {
		t.Errorf("restored the second twice: %+v, %v", r, err)
	}
	const kept = `
for p in sorted(glob.glob(path + '.migrated-*')):
    print(*(n for (n,) in sqlite3.connect(p).execute('SELECT name FROM users ORDER BY id')), end='; ')`
	if got := h.run(kept); got != "linus barbara; linus grace edsger; linus grace ken;" {
		t.Errorf("kept are %s", got)
	}
}

func TestLabARestorationThatWasKilledIsGoneOnWith(t *testing.T) {
	h := newLabHub(t)
	stamp := h.copy(time.Now())
	h.migrate("barbara")
	// It had put the migrated one aside, and a write-ahead log of it is there.
	h.run(fmt.Sprintf(`db.commit(); db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
open(path + '.half', 'w').write('half of a copy')
os.replace(path, path + '.migrated-%s')
open(path + '-wal', 'wb').write(b'of another database')`, stamp))
	r, err := h.restore(stamp)
	if err != nil || strings.Join(r.Users, " ") != "barbara" || !strings.HasSuffix(r.Kept, ".migrated-"+stamp) {
		t.Errorf("restored: %+v, %v", r, err)
	}
	if got := h.holds(); got != "older linus" {
		t.Errorf("the database holds %s", got)
	}
	if got := h.run(`print(*sorted(os.path.basename(p) for p in glob.glob(path + '*half')))`); got != "" {
		t.Errorf("left is %s", got)
	}
}

func TestLabWhatCannotBePutBackChangesNothing(t *testing.T) {
	h := newLabHub(t)
	stamp := h.copy(time.Now())
	h.migrate("barbara")
	if _, err := h.restore("20200101T000000Z"); err == nil || !strings.Contains(err.Error(), "no copy *.gauntlet-20200101T000000Z in /srv/jupyterhub") {
		t.Errorf("without a copy: %v", err)
	}
	h.run(fmt.Sprintf(`
with open(path + '.gauntlet-%s', 'r+b') as f:
    f.seek(4096); f.write(b'?' * 4096)`, stamp))
	if _, err := h.restore(stamp); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("a damaged copy: %v", err)
	}
	if got := h.holds(); got != "newer barbara linus" {
		t.Errorf("the database holds %s", got)
	}
}

func TestLabAHubThatAKilledRunLeftStoppedStartsAndItsPodIsGone(t *testing.T) {
	h := newLabHub(t)
	stamp := h.copy(time.Now())
	if err := Stop(t.Context(), h.c, h.ns); err != nil {
		t.Fatal(err)
	}
	if err := Stop(t.Context(), h.c, h.ns); err != nil {
		t.Fatal(err)
	}
	if _, err := h.c.CreatePod(t.Context(), restorer(h.ns, h.d, []string{stamp})); err != nil {
		t.Fatal(err)
	}
	if err := Settle(t.Context(), h.c, h.ns); err != nil {
		t.Fatal(err)
	}
	if _, err := h.c.CoreV1().Pods(h.ns).Get(t.Context(), podName, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the pod is left: %v", err)
	}
	if err := Start(t.Context(), h.c, h.ns); err != nil {
		t.Fatal(err)
	}
	h.ready()
	d, err := hubOf(t.Context(), h.c, h.ns)
	if err != nil || replicas(d) != 1 || d.Annotations[replicasNote] != "" {
		t.Errorf("%d pods, %v, %v", replicas(d), d.Annotations, err)
	}
}
