package forwarded

import "github.com/seed2886b8ae/go-certauth/internal/source"

// ContainerApps reads X-Forwarded-Client-Cert as the ingress of Azure Container Apps writes
// it: one element with Hash, Cert and Chain.
//
// Verified: possession of the key. clientCertificateMode=require asks for a certificate and
// validates none, and callers within the environment are not asked at all
// (microsoft/azure-container-apps#880). The policy needs an anchor.
//
// Overwritten: not documented. Only From keeps other senders' headers out.
//
// Required configuration:
//
//	id=$(az containerapp show -n app -g group --query id -o tsv)
//	az rest --method patch --url "https://management.azure.com$id?api-version=2025-01-01" \
//		--body '{"properties": {"configuration": {"ingress": {"clientCertificateMode": "require"}}}}'
//
// and the ingress's addresses in From.
//
// Refused: more than one element, a Hash that is not the leaf's, everything that [Envoy]
// refuses.
//
// To verify before going live: the probes of the package documentation, once from outside
// and once from another app of the environment.
//
// Source: Microsoft Learn, "Configure client certificate authentication in Azure Container
// Apps". Tested against documentation and constructed values only.
type ContainerApps struct {
	// From identifies the ingress. Required.
	From Gate
}

// Prepare implements [certauth.Source].
func (s ContainerApps) Prepare(env source.Environment) (*source.Reader, error) {
	return xfccLayout("ContainerApps", s.From, xfccReader{}).prepare(env)
}
