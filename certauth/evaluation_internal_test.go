package certauth

import (
	"crypto/x509"
	"errors"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// An evaluation is reused for the next request: it must retain nothing of the previous one except
// allocated memory, and no list may grow from request to request.
func TestEvaluation_ClearLeavesRoomAlone(t *testing.T) {
	chains := []*verifiedChain{{}}
	path := policyPath{roles: []string{"role"}, chains: chains, vouched: vouchedNames, reached: vouchedNames}
	e := &evaluation{
		ctx: t.Context(), owner: &Authenticator{}, offer: source.Offer{Certificates: []*x509.Certificate{nil}}, facts: &facts{leaf: certauthtest.SelfSigned(t, "client").Certificate},
		waited: true, path: path, pending: []pending{{role: "role"}}, steps: 1, found: []policyPath{path}, answers: []statusOf{{}},
		established: established{roles: []string{"role"}, chains: chains, vouched: vouchedNames, revocation: &Revocation{Status: RevocationGood}},
		quiet:       1, branchRefusals: []branchRefusal{{err: asError(errors.New("no"), ReasonInternalError, "")}},
	}
	owner := e.owner
	e.clear()
	assert.Same(t, owner, e.owner, "evaluations do not leave their Authenticator")
	room := map[string]bool{"left": true, "merged": true}             // never read before they are written
	set := map[string]bool{"owner": true, "now": true, "named": true} // by the next begin
	for _, v := range []reflect.Value{reflect.ValueOf(*e), reflect.ValueOf(e.established), reflect.ValueOf(e.path)} {
		for i := range v.NumField() {
			field, name := v.Field(i), v.Type().Field(i).Name
			switch {
			case room[name], set[name], name == "path", name == "established":
			case field.Kind() == reflect.Slice:
				assert.Zero(t, field.Len(), name)
			default:
				assert.True(t, field.IsZero(), name)
			}
		}
	}
}
