package audit

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"strings"
)

var modes = []string{"Required", "Optional", "OptionalInteractiveUser"}

// portalName returns a mode with all its names.
func portalName(mode string) string {
	switch strings.ToLower(mode) {
	case "optional":
		return "Optional (\"Allow\" in older portals, \"Optional\" in newer ones)"
	case "optionalinteractiveuser":
		return "OptionalInteractiveUser (\"Optional\" in older portals, \"Optional Interactive User\" in newer ones)"
	}
	return mode
}

func (c *check) enabled() (yes, known bool) { return c.field("clientCertEnabled").truth() }

// on reports whether client certificates are on or may be on.
func (c *check) on() bool {
	yes, known := c.enabled()
	return yes || !known
}

func (c *check) is(field, want string) bool {
	v := c.field(field)
	return v.known() && strings.EqualFold(v.text(), want)
}

func (c *check) renegotiates() bool {
	return c.on() && (len(c.exclusions()) > 0 || c.is("clientCertMode", "OptionalInteractiveUser"))
}

func (c *check) setting(name string) (string, bool) {
	v, ok := c.settings[name]
	if !ok || !v.known() {
		return "", false
	}
	return v.text(), true
}

// asksItself reports whether the platform asks the app for this path without the front end, which then asks nobody for a
// certificate.
func (c *check) asksItself(route string) bool {
	health := c.field("healthCheckPath")
	return health.known() && health.text() != "" && route == pathOf(health.text()) || route == c.warmUpPath()
}

// warmUpPath returns the path that the platform asks for until the app has started.
func (c *check) warmUpPath() string {
	set, _ := c.setting("WEBSITE_WARMUP_PATH")
	return pathOf(cmp.Or(set, "/robots933456.txt"))
}

// exclusions returns the entries unchanged. An empty entry between separators counts.
func (c *check) exclusions() []string {
	v := c.field("clientCertExclusionPaths")
	if !v.known() || strings.TrimSpace(v.text()) == "" {
		return nil
	}
	text := strings.TrimRight(v.text(), ",;") // a trailing separator ends the list
	return strings.FieldsFunc(strings.ReplaceAll(strings.ReplaceAll(text, ",,", ", ,"), ";;", "; ;"), func(r rune) bool { return r == ',' || r == ';' })
}

// covers reports whether an exclusion matches a route, literally or as a server may interpret it.
func covers(entry, route string) bool {
	if entry == "" {
		return true
	}
	entry = strings.ToLower(entry)
	for _, form := range []string{route, pathOf(route)} {
		if strings.HasPrefix(strings.ToLower(form), entry) {
			return true
		}
	}
	return false
}

// pathOf returns a path without query and escapes, cleaned.
func pathOf(route string) string {
	route, _, _ = strings.Cut(route, "?")
	if plain, err := url.PathUnescape(route); err == nil {
		route = plain
	}
	if !strings.HasPrefix(route, "/") {
		route = "/" + route
	}
	return path.Clean(route)
}

func odd(entry string) string {
	trimmed := strings.TrimSpace(entry)
	switch {
	case trimmed == "":
		return "is empty"
	case !strings.HasPrefix(trimmed, "/"):
		return "does not begin with /"
	case trimmed != entry || strings.ContainsAny(trimmed, " \t"):
		return "holds spaces"
	case strings.ContainsAny(trimmed, "*{}"):
		return "holds a wildcard, which is taken literally"
	case strings.Contains(trimmed, "%"):
		return "holds an escape"
	case strings.Contains(trimmed, ".."):
		return "holds .."
	case strings.Contains(trimmed, "?"):
		return "holds a query"
	}
	return ""
}

func allows(rule *value) bool { return !strings.EqualFold(rule.get("action").text(), "Deny") }

// private reports whether only private endpoints lead to the site, to which access restrictions do not apply.
func (c *check) private() bool {
	public, known := c.field("publicNetworkAccess").truth()
	return known && !public
}

// openRule returns what a rule admits besides the gateway: a service tag, which stands for addresses of
// others as well, or a range of addresses that is wider than any gateway's.
func (c *check) openRule() string {
	for _, rule := range c.field("ipSecurityRestrictions").items {
		address, tag := rule.get("ipAddress").text(), rule.get("service_tag").text()
		if strings.EqualFold(rule.get("tag").text(), "ServiceTag") {
			address, tag = "", address
		}
		if address == "" {
			address = rule.get("ip_address").text()
		}
		switch {
		case !allows(rule):
			continue
		case tag != "":
			return fmt.Sprintf("the service tag %.80q", tag)
		}
		for text := range strings.SplitSeq(address, ",") { // up to eight ranges
			if text = strings.TrimSpace(text); strings.EqualFold(text, "Any") || isWide(text) {
				return text
			}
		}
	}
	return ""
}

// isWide reports whether a range has more addresses than any private network, or is public and has more
// than a company has.
func isWide(text string) bool {
	network, err := netip.ParsePrefix(text)
	if err != nil {
		return false
	}
	widest, widestPublic := 7, 32 // the networks fc00::/7 and, of a provider's customer, /32
	if network.Addr().Is4() {
		widest, widestPublic = 8, 16
	}
	return network.Bits() < widest || network.Bits() < widestPublic && !network.Masked().Addr().IsPrivate()
}

func isFrontDoor(rule *value) bool {
	if strings.EqualFold(rule.get("service_tag").text(), "AzureFrontDoor.Backend") {
		return true
	}
	return strings.EqualFold(rule.get("tag").text(), "ServiceTag") && strings.EqualFold(rule.get("ipAddress").text(), "AzureFrontDoor.Backend")
}

func hasProfile(rule *value) bool {
	headers := rule.get("headers")
	sets := append([]*value{headers}, headers.items...)
	for _, set := range sets {
		for _, name := range []string{"x-azure-fdid", "x_azure_fdid"} {
			if ids := set.get(name); len(ids.items) > 0 || ids.known() && ids.text() != "" {
				return true
			}
		}
	}
	return false
}

func ruleName(rule *value) string {
	for _, name := range []string{"name", "ipAddress", "ip_address", "service_tag"} {
		if text := rule.get(name).text(); text != "" {
			return text
		}
	}
	return "without a name"
}

// need is a field with the values that can be judged; none, if another rule looks at that.
type need struct {
	field, command string
	values         []string
}

var (
	truths   = []string{"true", "false", "enabled", "disabled"}
	versions = []string{"1.0", "1.1", "1.2", "1.3"}
)

// needed returns the fields without which important rules cannot be evaluated.
func (c *check) needed() []need {
	const show, config = "az webapp show", "az webapp config show"
	list := []need{{"httpsOnly", show, truths}, {"clientCertEnabled", show, truths}, {"minTlsVersion", config, versions}}
	if yes, known := c.enabled(); !known || yes {
		list = append(list, need{"clientCertMode", show, nil})
	}
	if c.renegotiates() {
		list = append(list, need{"http20Enabled", config, truths})
	}
	if c.FrontEnd != Platform && !c.private() {
		list = append(list, need{"ipSecurityRestrictions", config, nil})
	}
	return list
}
