package certauth

import (
	"slices"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

// Rules compare user principal names, URIs and the local parts of mailboxes exactly. Under Not they
// must also recognise the other spellings of a listed name, as dnRule does for distinguished names.

// spelled holds names as they are compared under a Not. Those of a certificate are kept with the facts
// about it, because a policy can have thousands of rules.
type spelled struct {
	normal   []string      // normal forms, sorted
	prepared []dn.Prepared // of names that have none
	many     bool          // more names than are compared
}

// differ reports whether the names are certainly none of those excluded.
func (s *spelled) differ(excluded *spelled) bool {
	return !s.many && !haveCommon(s.normal, excluded.normal) && !slices.ContainsFunc(s.prepared, func(name dn.Prepared) bool {
		return slices.ContainsFunc(excluded.prepared, func(one dn.Prepared) bool { return !one.Differs(name) })
	})
}

// spellTexts prepares user principal names and the texts of extensions. Active Directory ignores the
// case of the former and of the names of certificate templates (MS-ADA3, userPrincipalName, and
// MS-ADA1, cn: String(Unicode), 2.5.5.12).
func spellTexts(names []string) *spelled {
	made := &spelled{}
	for _, name := range names {
		made.prepared = append(made.prepared, dn.Name{{{Text: name}}}.Prepare())
	}
	return made
}

// spellNormal returns a function for names that are the same if their normal forms are.
func spellNormal(normal func(string) string) func(names []string) *spelled {
	return func(names []string) *spelled {
		made := &spelled{}
		for _, name := range names {
			made.normal = append(made.normal, normal(name))
		}
		slices.Sort(made.normal)
		return made
	}
}
