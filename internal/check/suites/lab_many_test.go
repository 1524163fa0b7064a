package suites

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/check"
	"gauntlet/internal/config"
	"gauntlet/internal/release"
)

// runsEnv is how often every suite is run; it is a part of make test-long.
const runsEnv = "GAUNTLET_RUNS"

// TestLabManyRunsRaiseNoFalseAlarm runs every suite again and again on a good release.
// Meanwhile happens what happens on clusters: workers wait for a node that has yet to
// come and to pull its images, and one of them loses its place.
func TestLabManyRunsRaiseNoFalseAlarm(t *testing.T) {
	runs, _ := strconv.Atoi(os.Getenv(runsEnv))
	if runs == 0 {
		t.Skip("part of make test-long: " + runsEnv + "=20")
	}
	c := connect(t)
	openFuse(t)
	address, _ := objectStorage(t)
	v := mounting(address, bucket)
	user := v["jupyterhub"].(map[string]any)["singleuser"].(map[string]any)
	cmd := user["cmd"].([]any)
	cmd[2] = inPool + "\n" + cmd[2].(string)
	url := labHub(t, c, v)
	newStandIn(t, c)

	to := target(c, url)
	to.Workers = []release.Digest{labWorker(t)}
	to.Storage = []config.Store{{Mount: "/home/jovyan/bucket", Only: "notebook"}, {URL: "s3://" + bucket + "/scratch"}}
	to.Served = labAssets(t)
	only := strings.Fields(os.Getenv("GAUNTLET_SUITES"))
	var accepted map[string][]byte
	took, peaks, again := map[string][]float64{}, map[string]int{}, map[string][]string{}
	for i := range runs {
		for _, name := range []string{"hub", "completion", ScalingName, "storage", "viz"} {
			if len(only) > 0 && !slices.Contains(only, name) {
				continue
			}
			to := to
			to.Template, to.Accepted = "/tmp/worker.yml", accepted
			// Pods of the pool have no way to the bucket.
			late, preempted := i%5 == 2 && name == ScalingName, i%5 == 3
			if late {
				to.Template = "/tmp/pool.yml"
			}
			evicted := make(chan struct{})
			watch := func(o check.Outcome) {
				if preempted && name == ScalingName && o.Name == "workers go" {
					go func() {
						defer close(evicted)
						pod := workerOf(t, c)
						err := c.PolicyV1().Evictions(namespace).Evict(t.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: namespace}})
						if err != nil {
							t.Errorf("evict %s: %v", pod.Name, err)
						}
					}()
				}
			}
			ended, peak := make(chan struct{}), make(chan int, 1)
			go func() { peak <- peakMemory(ended) }()
			suite, _ := Named(name)
			r := check.Run(t.Context(), suite(to), watch)
			close(ended)
			if most := <-peak; !late { // the node that comes is a child of this process
				peaks[name] = max(peaks[name], most)
			}
			if preempted && name == ScalingName && r.State != check.Failed {
				<-evicted
			}
			took[name] = append(took[name], r.Finished.Sub(r.Started).Seconds())
			t.Logf("run %2d %-10s %s %5.1f s, %d MiB%s", i+1, name, r.State, r.Finished.Sub(r.Started).Seconds(), peaks[name],
				map[bool]string{true: ", its workers on a node that was not there"}[late])
			for _, o := range r.Outcomes {
				switch {
				case o.State == check.Failed:
					t.Errorf("run %d of %s: %s: %s", i+1, name, o.Name, o.Message)
				case o.State == check.Warned && !strings.Contains(o.Message, "nobody has accepted"):
					again[name] = append(again[name], fmt.Sprintf("run %d: %s: %s", i+1, o.Name, o.Message))
				}
			}
			if accepted == nil && name == "viz" {
				accepted = map[string][]byte{}
				for _, p := range r.Pictures {
					accepted[p.Name] = p.PNG
				}
			}
		}
	}
	for name, times := range took {
		slices.Sort(times)
		t.Logf("%-10s %d runs, %.1f s in the middle, %.1f to %.1f s, at most %d MiB here (the browser's among them), warned %d times",
			name, len(times), times[len(times)/2], times[0], times[len(times)-1], peaks[name], len(again[name]))
		for _, a := range again[name] {
			t.Logf("    %s", a)
		}
	}
	nothingLeft(t, c, url)
}

// peakMemory is the most memory, in MiB, that this process and all that it has started
// have in use together (proportional set size) until it has ended.
func peakMemory(ended <-chan struct{}) int {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	most := 0
	for {
		most = max(most, memoryOf(os.Getpid()))
		select {
		case <-ended:
			return most
		case <-tick.C:
		}
	}
}

func memoryOf(pid int) int {
	sum := 0
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	for line := range strings.Lines(string(text)) {
		if kb, ok := strings.CutPrefix(line, "Pss:"); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kb), "kB")))
			sum += n / 1024
		}
	}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, task := range tasks {
		children, _ := os.ReadFile(task)
		for child := range strings.FieldsSeq(string(children)) {
			if n, err := strconv.Atoi(child); err == nil {
				sum += memoryOf(n)
			}
		}
	}
	return sum
}
