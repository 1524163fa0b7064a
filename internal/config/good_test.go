package config

import "strings"

const goodPlatform = `apiVersion: gauntlet/v1
platform: example
registry: registry.example.org:5000/platform
ledger: registry.example.org:5000/platform-ledger
workbench:
  context: testing
  namespace: gauntlet-workbench
  tolerations: [{key: dask, operator: Exists}]
images:
  source: ../images
  args: {BASE: "registry.example.org/base:1.2"}
  secrets: [{id: ca, file: ca.crt}]
  build:
    notebook: {dockerfile: notebook/Dockerfile, prepare: [common.sh]}
    worker: {dockerfile: worker/Dockerfile, imports: [dask]}
    octave: {dockerfile: octave/Dockerfile, from: worker}
  pairs:
    - {notebook: notebook, worker: worker, template: /pre-home/worker.yml}
chart:
  path: chart
  images:
    notebook: {name: hub.image.name, tag: hub.image.tag}
  access: [hub.users, hub.admins]
hubs:
  testing:
    tier: bleeding-edge
    cluster: testing
    namespace: testing
    release: testing
    values: [base.yml, testing.yml]
    secrets: [testing.enc.yml]
    set:
      hub.port: 30080
      hub.nodeSelector.kubernetes\.io/hostname: node-1
    url: https://testing.example.org
    apiTokenFrom: {secret: hub, key: gauntlet}
  compute:
    tier: production
    cluster: compute
    namespace: compute
    release: compute
    values: [base.yml]
    url: https://compute.example.org
    apiTokenFrom: {secret: hub, key: gauntlet}
inSync:
  - {files: [base.yml, testing.yml], paths: [hub.image.tag]}
graces: {unschedulable: 15m, settle: 3s}
`

const goodPolicy = `apiVersion: gauntlet/v1
tiers:
  - bleeding-edge:
      hubs: any
      suites: [hub]
      soak: 1d12h
      signoff: {of: people, within: 14d}
  - production:
      suites: [hub]
      approval: {role: board, count: 2}
      version: semver
      order: [compute]
people:
  ci:    {roles: [builder, checker, deployer], key: "ed25519:AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}
  ada:   {roles: [board], key: "ed25519:AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", email: [Ada@Example.org]}
  grace: {roles: [board, user], key: "ed25519:AwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}
freeze:
  - {tiers: [production], hubs: [testing], from: 2026-12-20T00:00:00Z, to: 2027-01-05T00:00:00+01:00, reason: holidays}
  - {weekdays: [Fri], after: "15:00", before: "24:00", timezone: Europe/Berlin, reason: nobody is here at weekends}
`

// index is where sub begins in s, which has it.
func index(s, sub string) int {
	before, _, ok := strings.Cut(s, sub)
	if !ok {
		panic("no " + sub)
	}
	return len(before)
}
