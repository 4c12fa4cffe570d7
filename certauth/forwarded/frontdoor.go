package forwarded

import (
	"errors"
	"net/http"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// FrontDoor reads X-Azure-ClientCertificate of Azure Front Door Premium.
//
// Microsoft documents the header's name and not its form (preview, 2026), so nothing is
// assumed here: look at a real request, then state the Format. The values of
// X-Azure-ClientCertVerify in each mode are not documented either.
//
// What it proved: possession of the key; the chain by the mode of the custom domain, which
// may be "not validated" or passthrough. The policy needs an anchor.
//
// What it overwrites: both headers, as documented.
//
// What must be configured: mutual TLS on the custom domain; on the origin the service tag
// AzureFrontDoor.Backend with the profile's id in X-Azure-FDID, which is asked for here as
// well: without it every other tenant's profile can reach you.
//
// What is refused: a request without exactly this profile's id is of an untrusted source.
//
// How to verify before going live: the probes of the package documentation, and one
// through a Front Door profile of another id.
//
// Source: Microsoft Learn, "Mutual TLS on Azure Front Door". Tested against documentation
// only.
type FrontDoor struct {
	// From identifies Front Door, in addition to the profile: InsecureAnyPeer where the network
	// rules of the origin do. Required.
	From Gate
	// ProfileID is the Front Door id that X-Azure-FDID must hold. Required.
	ProfileID string
	// Format is the format of the header, [FormatBase64DER] or another one. Required.
	Format Format
	// VerifyValue, if set, is the required value of X-Azure-ClientCertVerify.
	VerifyValue string
}

// Prepare implements [certauth.Source].
func (s FrontDoor) Prepare(env source.Environment) (*source.Reader, error) {
	decode, err := s.Format.decoder()
	found := []error{err}
	if strings.TrimSpace(s.ProfileID) == "" {
		found = append(found, errors.New("ProfileID: not set; without it any tenant's Front Door can reach you"))
	}
	l := layout{
		preset: "FrontDoor", header: "X-Azure-ClientCertificate", codec: decode, form: "one certificate in the configured format",
		kept: []string{"X-Azure-FDID"},
	}
	if s.From != nil {
		l.from = frontDoorProfile{from: s.From, id: s.ProfileID}
	}
	if s.VerifyValue != "" {
		l.flags = []Flag{{Header: "X-Azure-ClientCertVerify", Value: s.VerifyValue}}
	}
	return served(l.prepare(env, found...))
}

// frontDoorProfile asks for the profile in addition to the operator's own gate. The id is no
// secret; it tells apart tenants that all use the same addresses.
type frontDoorProfile struct {
	from Gate
	id   string
}

func (p frontDoorProfile) prepare(env source.Environment) (gate, error) {
	from, err := prepareGate(p.from, env)
	if err != nil {
		return nil, err
	}
	return frontDoorGate{gate: from, id: p.id}, nil
}

type frontDoorGate struct {
	gate
	id string
}

func (g frontDoorGate) admit(r *http.Request) (bool, error) {
	if id, ok := only(r.Header["X-Azure-Fdid"]); !ok || !strings.EqualFold(id, g.id) || id == "" {
		return false, errors.New("X-Azure-FDID is not this profile's id exactly once")
	}
	return g.gate.admit(r)
}

func (g frontDoorGate) String() string { return "Front Door " + g.id + " by " + g.gate.String() }
