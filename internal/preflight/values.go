package preflight

// values tells what is wrong with what the team wrote.
func values(f *Facts) []Finding {
	var out []Finding
	for _, l := range f.Linted {
		out = append(out, Finding{Code: l.Code, Object: "value " + l.Path, Cause: l.Cause, Fix: l.Fix})
	}
	return out
}
