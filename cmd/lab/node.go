package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/resource"

	"gauntlet/lab"
)

// node groups the commands about nodes beside a cluster's own.
func node(out io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "node",
		Aliases: []string{"nodes"},
		Short:   "Simulated and spare nodes, for drills",
		Long: `Nodes beside a cluster's own, for drills that need many or want to harm some.

Simulated nodes are objects that a program plays the kubelet for: pods on them are
Ready at once, with nothing behind them. A spare node is a real one. Both carry
labels and taints, so that only pods that ask for them end up there:

  simulated  label and taint ` + lab.SimulatedKey + `=true (NoSchedule)
  spare      label and taint ` + lab.SpareKey + `=NAME (NoSchedule)`,
	}
	cmd.AddCommand(simulate(out), addNode(out), removeNode(out), failPulls(), freeze("freeze"), freeze("thaw"))
	return cmd
}

// oneCluster takes the name of a cluster and then n further arguments at most.
func oneCluster(cmd *cobra.Command, atMost int) *cobra.Command {
	cmd.Args = cobra.RangeArgs(1, 1+atMost)
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return clusterNames()[1:], cobra.ShellCompDirectiveNoFileComp
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return cmd
}

func simulate(out io.Writer) *cobra.Command {
	var s lab.Simulated
	var labels []string
	var delay time.Duration
	cmd := oneCluster(&cobra.Command{
		Use:   "simulate CLUSTER",
		Short: "Make simulated nodes, and wait until they are Ready",
		Example: `  lab node simulate canary --count 100
  lab node simulate canary --prefix pool --count 3 --label pool=users --max-pods 2
  lab node simulate canary --prefix late --count 1 --delay 4m`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if s.Labels, err = keyValues(labels); err != nil {
				return err
			}
			select {
			case <-cmd.Context().Done():
				return cmd.Context().Err()
			case <-time.After(delay):
			}
			began := time.Now()
			if err := lab.Simulate(cmd.Context(), out, args[0], s); err != nil {
				return err
			}
			_, err = fmt.Fprintf(out, "%d simulated nodes %s-… are Ready in %s, after %.1f s\n", s.Count, s.Prefix, args[0], time.Since(began).Seconds())
			return err
		},
	}, 0)
	cmd.Flags().IntVar(&s.Count, "count", 1, "how many there shall be with this prefix")
	cmd.Flags().StringVar(&s.Prefix, "prefix", "simulated", "of their names: PREFIX-0, PREFIX-1, …")
	cmd.Flags().StringArrayVar(&labels, "label", nil, "further label KEY=VALUE (repeatable)")
	cmd.Flags().StringArrayVar(&s.Taints, "taint", nil, "further taint KEY=VALUE:EFFECT (repeatable)")
	cmd.Flags().IntVar(&s.MaxPods, "max-pods", 110, "pods per node")
	cmd.Flags().DurationVar(&delay, "delay", 0, "wait this long before they appear")
	return cmd
}

func addNode(out io.Writer) *cobra.Command {
	s := lab.Spare{}
	var labels []string
	var disk string
	cmd := oneCluster(&cobra.Command{
		Use:     "add CLUSTER NAME",
		Short:   "Add a spare node with a containerd and a kubelet of its own",
		Example: "  lab node add canary small-disk --disk 512MiB",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if s.Labels, err = keyValues(labels); err != nil {
				return err
			}
			if s.Disk, err = size(disk); err != nil {
				return err
			}
			s.Name = args[1]
			return lab.AddNode(cmd.Context(), out, args[0], s)
		},
	}, 1)
	cmd.Args = cobra.ExactArgs(2)
	cmd.Flags().StringArrayVar(&labels, "label", nil, "further label KEY=VALUE (repeatable)")
	cmd.Flags().StringVar(&disk, "disk", "", "give its images a disk of this size (512MiB), in memory; at least 256MiB")
	return cmd
}

func removeNode(out io.Writer) *cobra.Command {
	var prefix string
	cmd := oneCluster(&cobra.Command{
		Use:   "remove CLUSTER [NAME]",
		Short: "Remove a spare node, or simulated ones with their pods and faults",
		Example: `  lab node remove canary small-disk
  lab node remove canary --prefix pool
  lab node remove canary                    # all simulated nodes`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 {
				if prefix != "" {
					return errors.New("--prefix is about simulated nodes, a name is a spare node's: give one of them")
				}
				return lab.RemoveNode(cmd.Context(), out, args[0], args[1])
			}
			return lab.RemoveSimulated(cmd.Context(), args[0], prefix)
		},
	}, 1)
	cmd.Flags().StringVar(&prefix, "prefix", "", "only simulated nodes whose names begin so")
	return cmd
}

func failPulls() *cobra.Command {
	var f lab.PullFault
	var heal bool
	cmd := oneCluster(&cobra.Command{
		Use:   "fail-pulls CLUSTER",
		Short: "Make pods on simulated nodes have trouble pulling an image",
		Example: `  lab node fail-pulls canary --prefix pool --image example.org/notebook:1
  lab node fail-pulls canary --prefix pool --node pool-2 --pulling 90s
  lab node fail-pulls canary --prefix pool --heal`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if heal {
				return lab.HealPulls(cmd.Context(), args[0], f.Prefix)
			}
			return lab.FailPulls(cmd.Context(), args[0], f)
		},
	}, 0)
	cmd.Flags().StringVar(&f.Prefix, "prefix", "simulated", "of the nodes' names")
	cmd.Flags().StringVar(&f.Node, "node", "", "only this node")
	cmd.Flags().StringVar(&f.Image, "image", "", "only images whose reference contains this")
	cmd.Flags().DurationVar(&f.Pulling, "pulling", 0, "the pull takes this long and succeeds, instead of failing")
	cmd.Flags().StringVar(&f.Message, "message", "", "the runtime's words (default: the registry has no such image)")
	cmd.Flags().BoolVar(&heal, "heal", false, "remove the faults made for the prefix")
	return cmd
}

func freeze(verb string) *cobra.Command {
	short, do := "Stop a node's kubelet, while the node is still called Ready", lab.FreezeNode
	if verb == "thaw" {
		short, do = "Let a frozen node go on", lab.ThawNode
	}
	cmd := oneCluster(&cobra.Command{
		Use:   verb + " CLUSTER NAME",
		Short: short,
		RunE:  func(cmd *cobra.Command, args []string) error { return do(cmd.Context(), args[0], args[1]) },
	}, 1)
	cmd.Args = cobra.ExactArgs(2)
	return cmd
}

func restartAPIServer(out io.Writer) *cobra.Command {
	return oneCluster(&cobra.Command{
		Use:   "restart-apiserver CLUSTER",
		Short: "Kill a cluster's API server and wait until it is ready again",
		RunE: func(cmd *cobra.Command, args []string) error {
			return lab.RestartAPIServer(cmd.Context(), out, args[0])
		},
	}, 0)
}

func keyValues(list []string) (map[string]string, error) {
	m := map[string]string{}
	for _, kv := range list {
		k, v, ok := strings.Cut(kv, "=")
		if !ok || k == "" {
			return nil, fmt.Errorf("--label %q: write KEY=VALUE", kv)
		}
		m[k] = v
	}
	return m, nil
}

// smallestDisk holds the lab's own images.
const smallestDisk = 256 << 20

// size reads a size as people write it, 512MiB for instance.
func size(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	q, err := resource.ParseQuantity(strings.TrimSuffix(text, "B"))
	if err != nil {
		return 0, fmt.Errorf("--disk %q is no size: write 512MiB, for instance", text)
	}
	if q.Value() < smallestDisk {
		return 0, fmt.Errorf("--disk %s is too small: the lab's own images need 256MiB", text)
	}
	return q.Value(), nil
}
