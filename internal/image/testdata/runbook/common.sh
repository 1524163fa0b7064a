#!/bin/bash
# What every image of the set has.
set -euo pipefail
mkdir -p /srv/environment
cp /tmp/base_environment.yml /srv/environment/
echo "common" >> /srv/environment/steps
