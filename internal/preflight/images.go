package preflight

import (
	"fmt"

	"gauntlet/internal/preflight/codes"
)

// images tells which images their registries do not give.
func images(f *Facts) []Finding {
	var out []Finding
	for _, i := range f.Images {
		of := ", for " + few(i.Users)
		switch i.State {
		case Invalid:
			out = append(out, Finding{Code: codes.ImageInvalid, Object: i.Ref, Cause: i.Why + of, Fix: "mend the image's name in the values"})
		case NotFound:
			out = append(out, Finding{Code: codes.ImageMissing, Object: i.Ref, Cause: "its registry has no image of this name" + of,
				Fix: "push it, or mend its name or tag in the values"})
		case Denied:
			out = append(out, denied(f, i, of))
		case Unreachable:
			out = append(out, Finding{Code: codes.ImageUnreachable, Object: i.Ref, Cause: "its registry cannot be asked from here" + of + ": " + i.Why,
				Fix: "make sure that the nodes can reach it, or have a mirror of it"})
		}
	}
	return out
}

// denied tells of a refusal. Where nodes may have credentials of their own, which no
// one outside of them can see, it is no more than a warning.
func denied(f *Facts, i Image, of string) Finding {
	found := Finding{Code: codes.ImageDenied, Object: i.Ref}
	if i.Credentials {
		found.Cause = "its registry refuses the hub's pull secrets, or has no such image" + of + ": " + i.Why
		found.Fix = "mend the credentials in the pull secret, or the image's name"
		return found
	}
	found.Cause = "its registry gives it to nobody without credentials, or has no such image, and the hub has no pull secret for it" + of + ": " + i.Why
	found.Fix = "add a pull secret for this registry, or mend the image's name"
	switch node := holder(f, i.Ref); {
	case i.Cloud:
		found.Code = codes.ImageUnreachable
		found.Cause = "its registry refuses whoever asks from here" + of + "; the nodes may have credentials of their own"
		found.Fix = "make sure that the nodes' role may pull it"
	case node != "":
		found.Code = codes.ImageUnreachable
		found.Cause = fmt.Sprintf("its registry refuses whoever asks from here%s; node %s has it, so nodes may have credentials of their own", of, node)
	}
	return found
}

// holder is a node that has pulled an image by this name.
func holder(f *Facts, ref string) string {
	for _, n := range f.Nodes {
		for _, im := range n.Status.Images {
			for _, has := range im.Names {
				if has == ref {
					return n.Name
				}
			}
		}
	}
	return ""
}

func pullSecrets(f *Facts) []Finding {
	var out []Finding
	for _, s := range f.Missing {
		out = append(out, Finding{Code: codes.PullSecret, Object: "Secret/" + s,
			Cause: fmt.Sprintf("pods of the release pull images with it, and namespace %s has none that holds credentials", f.Namespace),
			Fix:   "make it, or take its name out of the values"})
	}
	return out
}

// unlistedChoices tells of images that nobody knows beforehand.
func unlistedChoices(f *Facts) []Finding {
	var out []Finding
	for _, c := range hubConfigs(f) {
		for _, p := range c.profiles() {
			for _, o := range entries(p.path+".profile_options", at(p.value, "profile_options")) {
				u := at(o.value, "unlisted_choice")
				if _, image := mapAt(u, "kubespawner_override")["image"]; image && at(u, "enabled") == true {
					out = append(out, Finding{Code: codes.ChoiceUnlisted, Object: "value " + below(c.path, o.path),
						Cause: "users may type any image here: whether it exists is seen only when their server starts"})
				}
			}
		}
	}
	return out
}
