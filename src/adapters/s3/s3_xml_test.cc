#include "adapters/s3/s3_xml.h"

#include <gmock/gmock.h>

namespace saffron {
namespace {

using ::testing::ElementsAre;

constexpr char kListing[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\n"
    "  <Name>b</Name><Prefix/><IsTruncated>true</IsTruncated>\n"
    "  "
    "<Contents><Key>a%2Fb%20c</Key><ETag>&#34;x&quot;</ETag><Owner><ID>1</ID></Owner></Contents>\n"
    "  <Contents><Key>d</Key></Contents><EncodingType>url</EncodingType></ListBucketResult>";

TEST(S3XmlTest, ReadsAListing) {
  auto listing = ParseS3Listing(kListing);
  ASSERT_TRUE(listing.ok()) << listing.error().ToString();
  EXPECT_THAT(listing->keys, ElementsAre("a/b c", "d"));
  EXPECT_TRUE(listing->truncated);
}

TEST(S3XmlTest, KeysWithoutAnEncodingAreTakenAsTheyAre) {
  auto listing = ParseS3Listing(
      "<ListBucketResult><IsTruncated>false</IsTruncated>"
      "<Contents><Key>a%2F&amp;&#x2F;&#xe9;&#128512;</Key></Contents></ListBucketResult>");
  ASSERT_TRUE(listing.ok()) << listing.error().ToString();
  EXPECT_THAT(listing->keys, ElementsAre("a%2F&/\xc3\xa9\xf0\x9f\x98\x80"));
  EXPECT_FALSE(listing->truncated);
}

TEST(S3XmlTest, EveryCutListingIsRefused) {
  const std::string_view whole = kListing;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_TRUE(ParseS3Listing(whole.substr(0, size)).Is(Code::kCorrupt)) << size;
  }
}

TEST(S3XmlTest, WhatIsNotAListingIsRefused) {
  for (const char* text :
       {"<ListBucketResult/>", "<Other><IsTruncated>false</IsTruncated></Other>",
        "<ListBucketResult><IsTruncated>maybe</IsTruncated></ListBucketResult>",
        "<ListBucketResult><IsTruncated>false</IsTruncated><Contents/></ListBucketResult>",
        "<ListBucketResult><IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>"
        "<Contents><Key>a%2</Key></Contents></ListBucketResult>",
        "<ListBucketResult><IsTruncated>false</IsTruncated><EncodingType>x</EncodingType>"
        "</ListBucketResult>"}) {
    EXPECT_TRUE(ParseS3Listing(text).Is(Code::kCorrupt)) << text;
  }
}

TEST(S3XmlTest, MalformedOrForeignXmlIsRefused) {
  std::string deep;
  for (int i = 0; i < 40; ++i) deep += "<a>";
  for (const std::string& text : {std::string(),
                                  std::string("text"),
                                  std::string("<a>"),
                                  std::string("<a></b>"),
                                  std::string("<a></a><b></b>"),
                                  std::string("<a></a>x"),
                                  std::string("<a x></a>"),
                                  std::string("<a x=1></a>"),
                                  std::string("<a x=\"1></a>"),
                                  std::string("<a x=\"<\"></a>"),
                                  std::string("<ax=\"1\"></a>"),
                                  std::string("<a>&nbsp;</a>"),
                                  std::string("<a>&#0;</a>"),
                                  std::string("<a>&#xd800;</a>"),
                                  std::string("<a>&#x110000;</a>"),
                                  std::string("<a>&#12"),
                                  std::string("<a>&#-1;</a>"),
                                  std::string("<a>&</a>"),
                                  std::string("<a>\x01</a>"),
                                  std::string("<a>\0</a>", 8),
                                  std::string("<!DOCTYPE a><a></a>"),
                                  std::string("<a><!-- --></a>"),
                                  std::string("<a><![CDATA[x]]></a>"),
                                  std::string("<a><?php ?></a>"),
                                  std::string("<?xml <a></a>"),
                                  std::string("< a></a>"),
                                  "<" + std::string(65, 'a') + "/>",
                                  deep}) {
    EXPECT_TRUE(ParseXml(text).Is(Code::kCorrupt)) << text;
  }
}

TEST(S3XmlTest, ErrorsNameCodeAndRegionOnly) {
  const S3ErrorAnswer answer = ParseS3Error(
      "<Error><Code>AuthorizationHeaderMalformed</Code><Message>secret</Message>"
      "<Region>eu-west-1</Region></Error>");
  EXPECT_EQ(answer.code, "AuthorizationHeaderMalformed");
  EXPECT_EQ(answer.region, "eu-west-1");
  EXPECT_EQ(ParseS3Error("<html><body>502</body></html>").code, "");
  EXPECT_EQ(ParseS3Error("").code, "");
  EXPECT_EQ(ParseS3Error("<Error><Code>a b\nc</Code></Error>").code, "");
  EXPECT_EQ(ParseS3Error("<Error><Code>" + std::string(65, 'a') + "</Code></Error>").code, "");
}

TEST(S3XmlTest, Versioning) {
  EXPECT_EQ(ParseS3Versioning("<VersioningConfiguration/>").value(), "");
  EXPECT_EQ(ParseS3Versioning("<VersioningConfiguration><Status>Enabled</Status>"
                              "<MfaDelete>Disabled</MfaDelete></VersioningConfiguration>")
                .value(),
            "Enabled");
  EXPECT_TRUE(ParseS3Versioning("<a/>").Is(Code::kCorrupt));
}

}  // namespace
}  // namespace saffron
