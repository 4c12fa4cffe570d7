package certauth_test

import (
	"testing"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

func TestPolicy_StructAroundNilIsAMistake(t *testing.T) {
	type wrapped struct{ certauth.Policy }
	runMisconfigured(t, []misconfigured{
		{"as the policy", wrapped{}, []string{"Policy: cannot be compiled; does a struct embed a nil Policy?"}},
		{"nested", certauth.All{certauth.Thumbprints{pinOfNobody}, wrapped{}}, []string{"Policy.All[1]: cannot be compiled; does a struct embed a nil Policy?"}},
	})
}
