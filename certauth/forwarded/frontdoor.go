package forwarded

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/httpheader"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// FrontDoor reads X-Azure-ClientCertificate of Azure Front Door Premium.
//
// Microsoft documents the header's name but not its form (preview, 2026), so this preset
// assumes none: look at a real request, then set Format. The values of
// X-Azure-ClientCertVerify in each mode are not documented either.
//
// Verified: possession of the key. The mode of the custom domain determines whether the
// chain is verified; it may be "not validated" or passthrough. The policy needs an anchor.
//
// Overwritten: both headers, according to the documentation.
//
// Required configuration: mutual TLS on the custom domain; on the origin, network rules for
// the service tag AzureFrontDoor.Backend. The preset itself requires the profile's id in
// X-Azure-FDID, because without that check every other tenant's profile could reach you.
//
// With API Management between Front Door and this process, the origin is API Management: the
// network rules belong there, with a check-header policy for X-Azure-FDID, because whoever
// reaches it directly can write all of these headers, and it passes them on. Use this preset
// and not [APIManagement], which sends the certificate of the TLS connection: Front Door opens
// that one, and presents none. From then identifies API Management, for instance by
// [AppServiceCertificate].
//
// Refused: a request that does not carry exactly this profile's id comes from an untrusted
// source.
//
// To verify before going live: the probes of the package documentation, and one through a
// Front Door profile with another id.
//
// Source: Microsoft Learn, "Mutual TLS on Azure Front Door". Tested against documentation
// only.
type FrontDoor struct {
	// From identifies Front Door, in addition to the profile id. Use InsecureAnyPeer if the
	// network rules of the origin identify it. Required.
	From Gate
	// ProfileID is the Front Door id that X-Azure-FDID must hold, compared without case.
	// Required.
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
		found = append(found, errors.New("ProfileID: not set; without it the Front Door of any tenant is accepted"))
	} else if err := httpheader.CheckValue(s.ProfileID, maxFlag); err != nil {
		found = append(found, fmt.Errorf("ProfileID: %w", err))
	}
	if err := httpheader.CheckValue(s.VerifyValue, maxFlag); err != nil {
		found = append(found, fmt.Errorf("VerifyValue: %w", err))
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
	return l.prepare(env, found...)
}

// frontDoorProfile checks the profile id in addition to the operator's own gate. The id is
// no secret, but it distinguishes tenants that all use the same addresses.
type frontDoorProfile struct {
	from Gate
	id   string
}

func (p frontDoorProfile) prepare(env source.Environment) (gate, error) {
	from, err := prepareGate(p.from, env)
	if err != nil {
		return gate{}, err
	}
	profile := check("", func(r *http.Request) error {
		if id, ok := only(r.Header["X-Azure-Fdid"]); !ok || !strings.EqualFold(id, p.id) || id == "" {
			return errors.New("want exactly one X-Azure-FDID with the id of this profile")
		}
		return nil
	})
	both := combine("", []gate{profile, from}, admitEvery)
	both.name = "Front Door " + p.id + " by " + from.name
	return both, nil
}
