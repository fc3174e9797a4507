/* SPDX-License-Identifier: BSD-3-Clause */
/* Published test vectors; see crypto_vectors.h. What libcrypto has is checked against it, too. */
#include "crypto_vectors.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_crypto.h>

#define CIPHER(name) VIRTIO_CRYPTO_SERVICE_CIPHER, VIRTIO_CRYPTO_CIPHER_##name
#define HASH(name) VIRTIO_CRYPTO_SERVICE_HASH, VIRTIO_CRYPTO_HASH_##name
#define MAC(name) VIRTIO_CRYPTO_SERVICE_MAC, VIRTIO_CRYPTO_MAC_##name
#define AEAD(name) VIRTIO_CRYPTO_SERVICE_AEAD, VIRTIO_CRYPTO_AEAD_##name

/* SP 800-38A, appendix F: keys and the plaintext of all examples. */
#define KEY_128 "2b7e151628aed2a6abf7158809cf4f3c"
#define KEY_192 "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"
#define KEY_256 "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"
#define FOUR_BLOCKS \
	"6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51 " \
	"30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710"
#define COUNTED_IV "000102030405060708090a0b0c0d0e0f"
#define COUNTER "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"

/* NIST, Cryptographic Standards: Examples with Intermediate Values, TDES. */
#define TDES_KEYS_3 "0123456789abcdef 23456789abcdef01 456789abcdef0123"
#define TDES_KEYS_2 "0123456789abcdef 23456789abcdef01"
#define TDES_DATA "6bc1bee22e409f96 e93d7e117393172a ae2d8a571e03ac9c 9eb76fac45af8e51"
#define TDES_IV "f69f2445df4f9b17"

/* FIPS 180: two blocks of SHA-1 to SHA-256, and of SHA-384 and SHA-512. */
#define SHA_56 "'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq'"
#define SHA_112 \
	"'abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn' " \
	"'hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu'"

/* RFC 2202 and RFC 4231 share their questions. */
#define HMAC_DATA_2 "'what do ya want for nothing?'"
#define HMAC_DATA_6_OLD "'Test Using Larger Than Block-Size Key - Hash Key First'"
#define HMAC_KEY_4 "0102030405060708090a0b0c0d0e0f10111213141516171819"
#define HMAC_DATA_7 \
	"'This is a test using a larger than block-size key and a larger than block-size data. " \
	"The key needs to be hashed before being used by the HMAC algorithm.'"

/* The GCM specification's cases with 60 of its 64 bytes and AAD. */
#define GCM_KEY_128 "feffe9928665731c6d6a8f9467308308"
#define GCM_KEY_192 "feffe9928665731c6d6a8f9467308308feffe9928665731c"
#define GCM_KEY_256 "feffe9928665731c6d6a8f9467308308 feffe9928665731c6d6a8f9467308308"
#define GCM_IV "cafebabefacedbaddecaf888"
#define GCM_60 \
	"d9313225f88406e5a55909c5aff5269a 86a7a9531534f7da2e4c303d8a318a72 " \
	"1c3c0c95956809532fcf0e2449a6b525 b16aedf5aa0de657ba637b39"
#define GCM_64 GCM_60 "1aafd255"
#define GCM_AAD "feedfacedeadbeeffeedfacedeadbeef abaddad2"

/* RFC 3566 */
#define XCBC_KEY "000102030405060708090a0b0c0d0e0f"

/* 3GPP test sets; of messages that end within a byte, the bytes before. */
#define UE_KEY_1 "2bd6459f82c5b300952c49104881ff48"
#define UE_DATA_1 \
	"7ec61272743bf1614726446a6c38ced1 66f6ca76eb543004428634 6cef130f92" \
	"922b03450d3a9975e5bd2ea0eb55ad8e 1b199e3ec4316020e9a1b285e7627953" \
	"59b7bdfd39bef4b2484583d5afe082ae e638bf5fd5a606193901a08f4ab41aab 9b1348"
#define UE_KEY_3 "5acb1d644c0d51204ea5f1451010d852"
#define UE_DATA_3 "ad9c441f890b38c457a49d421407e8"

const struct crypto_vector crypto_vectors[] = {
	/* --- ciphers -------------------------------------------------------- */
	{.source = "SP 800-38A F.1.1", CIPHER(AES_ECB), .key = KEY_128, .in = FOUR_BLOCKS,
	 .out = "3ad77bb40d7a3660a89ecaf32466ef97 f5d3d58503b9699de785895a96fdbaaf"
		"43b1cd7f598ece23881b00e3ed030688 7b0c785e27e8ad3f8223207104725dd4"},
	{.source = "SP 800-38A F.1.3", CIPHER(AES_ECB), .key = KEY_192, .in = FOUR_BLOCKS,
	 .out = "bd334f1d6e45f25ff712a214571fa5cc 974104846d0ad3ad7734ecb3ecee4eef"
		"ef7afd2270e2e60adce0ba2face6444e 9a4b41ba738d6c72fb16691603c18e0e"},
	{.source = "SP 800-38A F.1.5", CIPHER(AES_ECB), .key = KEY_256, .in = FOUR_BLOCKS,
	 .out = "f3eed1bdb5d2a03c064b5a7e3db181f8 591ccb10d410ed26dc5ba74a31362870"
		"b6ed21b99ca6f4f9f153e7b1beafed1d 23304b7a39f9f3ff067d8d8f9e24ecc7"},
	{.source = "FIPS 197 C.1", CIPHER(AES_ECB), .key = "000102030405060708090a0b0c0d0e0f",
	 .in = "00112233445566778899aabbccddeeff", .out = "69c4e0d86a7b0430d8cdb78070b4c55a"},
	{.source = "FIPS 197 C.2", CIPHER(AES_ECB),
	 .key = "000102030405060708090a0b0c0d0e0f1011121314151617",
	 .in = "00112233445566778899aabbccddeeff", .out = "dda97ca4864cdfe06eaf70a0ec0d7191"},
	{.source = "FIPS 197 C.3", CIPHER(AES_ECB),
	 .key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	 .in = "00112233445566778899aabbccddeeff", .out = "8ea2b7ca516745bfeafc49904b496089"},

	{.source = "SP 800-38A F.2.1", CIPHER(AES_CBC), .key = KEY_128, .iv = COUNTED_IV,
	 .in = FOUR_BLOCKS,
	 .out = "7649abac8119b246cee98e9b12e9197d 5086cb9b507219ee95db113a917678b2"
		"73bed6b8e3c1743b7116e69e22229516 3ff1caa1681fac09120eca307586e1a7"},
	{.source = "SP 800-38A F.2.3", CIPHER(AES_CBC), .key = KEY_192, .iv = COUNTED_IV,
	 .in = FOUR_BLOCKS,
	 .out = "4f021db243bc633d7178183a9fa071e8 b4d9ada9ad7dedf4e5e738763f69145a"
		"571b242012fb7ae07fa9baac3df102e0 08b0e27988598881d920a9e64f5615cd"},
	{.source = "SP 800-38A F.2.5", CIPHER(AES_CBC), .key = KEY_256, .iv = COUNTED_IV,
	 .in = FOUR_BLOCKS,
	 .out = "f58c4c04d6e5f1ba779eabfb5f7bfbd6 9cfc4e967edb808d679f777bc6702c7d"
		"39f23369a9d9bacfa530e26304231461 b2eb05e2c39be9fcda6c19078c6a9d1b"},

	{.source = "SP 800-38A F.5.1", CIPHER(AES_CTR), .key = KEY_128, .iv = COUNTER,
	 .in = FOUR_BLOCKS,
	 .out = "874d6191b620e3261bef6864990db6ce 9806f66b7970fdff8617187bb9fffdff"
		"5ae4df3edbd5d35e5b4f09020db03eab 1e031dda2fbe03d1792170a0f3009cee"},
	{.source = "SP 800-38A F.5.3", CIPHER(AES_CTR), .key = KEY_192, .iv = COUNTER,
	 .in = FOUR_BLOCKS,
	 .out = "1abc932417521ca24f2b0459fe7e6e0b 090339ec0aa6faefd5ccc2c6f4ce8e94"
		"1e36b26bd1ebc670d1bd1d665620abf7 4f78a7f6d29809585a97daec58c6b050"},
	{.source = "SP 800-38A F.5.5", CIPHER(AES_CTR), .key = KEY_256, .iv = COUNTER,
	 .in = FOUR_BLOCKS,
	 .out = "601ec313775789a5b7a7f504bbf3d228 f443e3ca4d62b59aca84e990cacaf5c5"
		"2b0930daa23de94ce87017ba2d84988d dfc9c58db67aada613c2dd08457941a6"},

	{.source = "FIPS 81, table C1", CIPHER(DES_CBC), .key = "0123456789abcdef",
	 .iv = "1234567890abcdef", .in = "'Now is the time for all '",
	 .out = "e5c7cdde872bf27c43e934008c389c0f683788499a7c05f6"},
	{.source = "NIST examples, TDES CBC, three keys", CIPHER(3DES_CBC), .key = TDES_KEYS_3,
	 .iv = TDES_IV, .in = TDES_DATA,
	 .out = "2079c3d53aa763e193b79e2569ab5262 516570481f25b50f73c0bda85c8e0da7"},
	{.source = "NIST examples, TDES CBC, two keys", CIPHER(3DES_CBC), .key = TDES_KEYS_2,
	 .iv = TDES_IV, .in = TDES_DATA,
	 .out = "7401ce1eab6d003caff84bf47b36cc21 54f0238f9ffecd8f6acf118392b45581"},
	{.source = "FIPS 81, table C1: with one key, Triple DES is DES", CIPHER(3DES_CBC),
	 .key = "0123456789abcdef", .iv = "1234567890abcdef", .in = "'Now is the time for all '",
	 .out = "e5c7cdde872bf27c43e934008c389c0f683788499a7c05f6"},
	/* NIST has published no example: SP 800-38A's mode over SP 800-67, by calculation. */
	{.source = "SP 800-38A 6.5 of SP 800-67, three keys", CIPHER(3DES_CTR), .key = TDES_KEYS_3,
	 .iv = TDES_IV, .in = TDES_DATA,
	 .out = "078bb74e59ce7ed619aa11d25004fb65 a03cedf1ba0b09baa3bc81b8f69c1da9"},
	{.source = "SP 800-38A 6.5 of SP 800-67, two keys", CIPHER(3DES_CTR), .key = TDES_KEYS_2,
	 .iv = "fffffffffffffffe", .in = TDES_DATA,
	 .out = "b768c96c28230b4ce88b0015ebfa07a5 28c4efea00c7e8fd7bbb504d9d89a8c5"},

	{.source = "3GPP TS 35.203, f8 test set 1", CIPHER(KASUMI_F8), .key = UE_KEY_1,
	 .iv = "72a4f20f64000000", .in = UE_DATA_1,
	 .out = "d1e2de70eef86c6964fb542bc2d460aa bfaa10a4a093262b7d199e706fc2d489"
		"1553296910f3a973012682e41c4e2b02 be2017b7253bbf9309de5819cb42e819"
		"56f4c99bc9765caf53b1d0bb8279826a dbbc5522e915c120a618a5a7f5e89708 933965"},
	{.source = "3GPP TS 35.203, f8 test set 3", CIPHER(KASUMI_F8), .key = UE_KEY_3,
	 .iv = "fa556b261c000000", .in = UE_DATA_3, .out = "9bc92ca803c67b28a11a4bee5a0c25"},
	{.source = "3GPP UEA2 implementors' test data, set 1", CIPHER(SNOW3G_UEA2), .key = UE_KEY_1,
	 .iv = "72a4f20f64000000 72a4f20f64000000", .in = UE_DATA_1,
	 .out = "8ceba62943dced3a0990b06ea1b0a2c4 fb3cedc71b369f42ba64c1eb6665e72a"
		"a1c9bb0deaa20fe86058b8baee2c2e7f 0becce48b52932a53c9d5f931a3a7c53"
		"2259af4325e2a65e3084ad5f6a513b7b ddc1b65f0aa0d97a053db55a88c4c4f9 605e41"},
	{.source = "3GPP UEA2 implementors' test data, set 3", CIPHER(SNOW3G_UEA2), .key = UE_KEY_3,
	 .iv = "fa556b261c000000 fa556b261c000000", .in = UE_DATA_3,
	 .out = "ba0f31300334c56b52a7497cbac046"},
	{.source = "3GPP 128-EEA3 implementors' test data, set 1", CIPHER(ZUC_EEA3),
	 .key = "173d14ba5003731d7a60049470f00a29", .iv = "6603549278000000 6603549278000000",
	 .in = "6cf65340735552ab0c9752fa6f9025fe0bd675d9005875b2",
	 .out = "a6c85fc66afb8533aafc2518dfe784940ee1e4b030238cc8"},
	{.source = "3GPP 128-EEA3 implementors' test data, set 2", CIPHER(ZUC_EEA3),
	 .key = "e5bd3ea0eb55ade866c6ac58bd54302a", .iv = "00056823c4000000 00056823c4000000",
	 .in = "14a8ef693d678507bbe7270a7f67ff50 06c3525b9807e467c4e56000ba338f5d"
	       "429559036751822246c80d3b38f07f4b e2d8ff5805f5132229bde93bbbdcaf38"
	       "2bf1ee972fbf9977bada8945847a2a6c 9ad34a667554e04d1f7fa2c33241bd8f 01ba220d",
	 .out = "131d43e0dea1be5c5a1bfd971d852cbf 712d7b4f57961fea3208afa8bca433f4"
		"56ad09c7417e58bc69cf8866d1353f74 865e80781d202dfb3ecff7fcbc3b190f"
		"e82a204ed0e350fc0f6f2613b2f2bca6 df5a473a57a4a00d985ebad880d6f238 64a07b01"},

	/* --- hashes ---------------------------------------------------------- */
	{.source = "RFC 1321 A.5", HASH(MD5), .out = "d41d8cd98f00b204e9800998ecf8427e"},
	{.source = "RFC 1321 A.5", HASH(MD5), .in = "'abc'",
	 .out = "900150983cd24fb0d6963f7d28e17f72"},
	{.source = "RFC 1321 A.5", HASH(MD5), .in = "'1234567890'*8",
	 .out = "57edf4a22be3c955ac49da2e2107b67a"},
	{.source = "FIPS 180 examples", HASH(SHA1), .in = "'abc'",
	 .out = "a9993e364706816aba3e25717850c26c9cd0d89d"},
	{.source = "FIPS 180 examples", HASH(SHA1), .in = SHA_56,
	 .out = "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
	{.source = "FIPS 180, a million times 'a'", HASH(SHA1), .in = "'a'*1000000",
	 .out = "34aa973cd4c4daa4f61eeb2bdbad27316534016f"},
	{.source = "CAVP, SHA1ShortMsg, 0 bits", HASH(SHA1),
	 .out = "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
	{.source = "FIPS 180 examples", HASH(SHA_224), .in = "'abc'",
	 .out = "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"},
	{.source = "FIPS 180 examples", HASH(SHA_224), .in = SHA_56,
	 .out = "75388b16512776cc5dba5da1fd890150b0c6455cb4f58b1952522525"},
	{.source = "CAVP, SHA224ShortMsg, 0 bits", HASH(SHA_224),
	 .out = "d14a028c2a3a2bc9476102bb288234c415a2b01f828ea62ac5b3e42f"},
	{.source = "FIPS 180 examples", HASH(SHA_256), .in = "'abc'",
	 .out = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	{.source = "FIPS 180 examples", HASH(SHA_256), .in = SHA_56,
	 .out = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	{.source = "FIPS 180, a million times 'a'", HASH(SHA_256), .in = "'a'*1000000",
	 .out = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
	{.source = "CAVP, SHA256ShortMsg, 0 bits", HASH(SHA_256),
	 .out = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	{.source = "FIPS 180 examples", HASH(SHA_384), .in = "'abc'",
	 .out = "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
		"8086072ba1e7cc2358baeca134c825a7"},
	{.source = "FIPS 180 examples", HASH(SHA_384), .in = SHA_112,
	 .out = "09330c33f71147e83d192fc782cd1b4753111b173b3b05d22fa08086e3b0f712"
		"fcc7c71a557e2db966c3e9fa91746039"},
	{.source = "FIPS 180 examples", HASH(SHA_512), .in = "'abc'",
	 .out = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
		"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
	{.source = "FIPS 180 examples", HASH(SHA_512), .in = SHA_112,
	 .out = "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
		"501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909"},
	{.source = "CAVP, SHA512ShortMsg, 0 bits", HASH(SHA_512),
	 .out = "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
		"47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"},

	/* --- message authentication codes ------------------------------------ */
	{.source = "RFC 2202, 2, case 1", MAC(HMAC_MD5), .key = "0b*16", .in = "'Hi There'",
	 .out = "9294727a3638bb1c13f48ef8158bfc9d"},
	{.source = "RFC 2202, 2, case 2", MAC(HMAC_MD5), .key = "'Jefe'", .in = HMAC_DATA_2,
	 .out = "750c783e6ab0b503eaa86e310a5db738"},
	{.source = "RFC 2202, 2, case 3", MAC(HMAC_MD5), .key = "aa*16", .in = "dd*50",
	 .out = "56be34521d144c88dbb8c733f0e8b3f6"},
	{.source = "RFC 2202, 2, case 4", MAC(HMAC_MD5), .key = HMAC_KEY_4, .in = "cd*50",
	 .out = "697eaf0aca3a3aea3a75164746ffaa79"},
	{.source = "RFC 2202, 2, case 6", MAC(HMAC_MD5), .key = "aa*80", .in = HMAC_DATA_6_OLD,
	 .out = "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd"},
	{.source = "RFC 2202, 3, case 1", MAC(HMAC_SHA1), .key = "0b*20", .in = "'Hi There'",
	 .out = "b617318655057264e28bc0b6fb378c8ef146be00"},
	{.source = "RFC 2202, 3, case 2", MAC(HMAC_SHA1), .key = "'Jefe'", .in = HMAC_DATA_2,
	 .out = "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
	{.source = "RFC 2202, 3, case 3", MAC(HMAC_SHA1), .key = "aa*20", .in = "dd*50",
	 .out = "125d7342b9ac11cd91a39af48aa17b4f63f175d3"},
	{.source = "RFC 2202, 3, case 4", MAC(HMAC_SHA1), .key = HMAC_KEY_4, .in = "cd*50",
	 .out = "4c9007f4026250c6bc8414f9bf50c86c2d7235da"},
	{.source = "RFC 2202, 3, case 6", MAC(HMAC_SHA1), .key = "aa*80", .in = HMAC_DATA_6_OLD,
	 .out = "aa4ae5e15272d00e95705637ce8a3b55ed402112"},
	{.source = "RFC 4231, case 1", MAC(HMAC_SHA_224), .key = "0b*20", .in = "'Hi There'",
	 .out = "896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22"},
	{.source = "RFC 4231, case 2", MAC(HMAC_SHA_224), .key = "'Jefe'", .in = HMAC_DATA_2,
	 .out = "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44"},
	{.source = "RFC 4231, case 7", MAC(HMAC_SHA_224), .key = "aa*131", .in = HMAC_DATA_7,
	 .out = "3a854166ac5d9f023f54d517d0b39dbd946770db9c2b95c9f6f565d1"},
	{.source = "RFC 4231, case 1", MAC(HMAC_SHA_256), .key = "0b*20", .in = "'Hi There'",
	 .out = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
	{.source = "RFC 4231, case 2", MAC(HMAC_SHA_256), .key = "'Jefe'", .in = HMAC_DATA_2,
	 .out = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
	{.source = "RFC 4231, case 3", MAC(HMAC_SHA_256), .key = "aa*20", .in = "dd*50",
	 .out = "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
	{.source = "RFC 4231, case 7", MAC(HMAC_SHA_256), .key = "aa*131", .in = HMAC_DATA_7,
	 .out = "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
	{.source = "RFC 4231, case 1", MAC(HMAC_SHA_384), .key = "0b*20", .in = "'Hi There'",
	 .out = "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
		"faea9ea9076ede7f4af152e8b2fa9cb6"},
	{.source = "RFC 4231, case 2", MAC(HMAC_SHA_384), .key = "'Jefe'", .in = HMAC_DATA_2,
	 .out = "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
		"8e2240ca5e69e2c78b3239ecfab21649"},
	{.source = "RFC 4231, case 7", MAC(HMAC_SHA_384), .key = "aa*131", .in = HMAC_DATA_7,
	 .out = "6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5"
		"a678cc31e799176d3860e6110c46523e"},
	{.source = "RFC 4231, case 1", MAC(HMAC_SHA_512), .key = "0b*20", .in = "'Hi There'",
	 .out = "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
		"daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"},
	{.source = "RFC 4231, case 2", MAC(HMAC_SHA_512), .key = "'Jefe'", .in = HMAC_DATA_2,
	 .out = "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
		"9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
	{.source = "RFC 4231, case 7", MAC(HMAC_SHA_512), .key = "aa*131", .in = HMAC_DATA_7,
	 .out = "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944"
		"b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58"},

	{.source = "RFC 4493, example 1", MAC(CMAC_AES), .key = KEY_128,
	 .out = "bb1d6929e95937287fa37d129b756746"},
	{.source = "RFC 4493, example 2", MAC(CMAC_AES), .key = KEY_128,
	 .in = "6bc1bee22e409f96e93d7e117393172a", .out = "070a16b46b4d4144f79bdd9dd04a287c"},
	{.source = "RFC 4493, example 3", MAC(CMAC_AES), .key = KEY_128,
	 .in = "6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51 30c81c46a35ce411",
	 .out = "dfa66747de9ae63030ca32611497c827"},
	{.source = "RFC 4493, example 4", MAC(CMAC_AES), .key = KEY_128, .in = FOUR_BLOCKS,
	 .out = "51f0bebf7e3b9d92fc49741779363cfe"},
	{.source = "SP 800-38B D.2, example 8", MAC(CMAC_AES), .key = KEY_192, .in = FOUR_BLOCKS,
	 .out = "a1d5df0eed790f794d77589659f39a11"},
	{.source = "SP 800-38B D.3, example 12", MAC(CMAC_AES), .key = KEY_256, .in = FOUR_BLOCKS,
	 .out = "e1992190549f6ed5696a2c056c315410"},
	{.source = "RFC 3566 4.2", MAC(XCBC_AES), .key = XCBC_KEY, .in = "000102",
	 .out = "5b376580ae2f19afe7219cee"},
	{.source = "RFC 3566 4.3", MAC(XCBC_AES), .key = XCBC_KEY, .in = COUNTED_IV,
	 .out = "d2a246fa349b68a79998a439"},
	{.source = "RFC 3566 4.4", MAC(XCBC_AES), .key = XCBC_KEY, .in = COUNTED_IV "10111213",
	 .out = "47f51b4564966215b8985c63"},
	{.source = "RFC 3566 4.5", MAC(XCBC_AES), .key = XCBC_KEY,
	 .in = COUNTED_IV "101112131415161718191a1b1c1d1e1f", .out = "f54f0ec8d2b9f3d36807734b"},
	{.source = "RFC 3566 4.6", MAC(XCBC_AES), .key = XCBC_KEY,
	 .in = COUNTED_IV "101112131415161718191a1b1c1d1e1f 2021",
	 .out = "becbb3bccdb518a30677d548"},
	/* COUNT, FRESH, message, direction and padding, all of which come from the caller. */
	{.source = "3GPP TS 35.203, f9 test set 4", MAC(KASUMI_F9),
	 .key = "c736c6aab22bfff91e2698d2e22ad57e",
	 .in = "14793e410397e8fd d0a7d463df9fb2b278833fa02e235aa172bd970c1473e129"
	       "07fb648b6599aaa0b24a038665422b20 a499276a50427009 c000000000000000",
	 .out = "dd7dfadd"},
	{.source = "3GPP TS 35.203, f9 test set 3", MAC(KASUMI_F9),
	 .key = "fdb9cfdf28936cc483a31869d81b8fab",
	 .in = "36af61449838f03a 5932bc0ace2b0aba33d8ac188ac54f346fad10bf9dee2920"
	       "b43bd0c53a915cb7df6caa72053abff3 8000000000000000",
	 .out = "1537d316"},

	/* --- authenticated encryption ---------------------------------------- */
	{.source = "GCM specification, case 2", AEAD(GCM), .key = "00*16", .iv = "00*12",
	 .in = "00*16", .out = "0388dace60b6a392f328c2b971b2fe78 ab6e47d42cec13bdf53a67b21257bddf",
	 .tag_bytes = 16},
	{.source = "GCM specification, case 3", AEAD(GCM), .key = GCM_KEY_128, .iv = GCM_IV,
	 .in = GCM_64,
	 .out = "42831ec2217774244b7221b784d0d49c e3aa212f2c02a4e035c17e2329aca12e"
		"21d514b25466931c7d8f6a5aac84aa05 1ba30b396a0aac973d58e091473f5985"
		"4d5c2af327cd64a62cf35abd2ba6fab4",
	 .tag_bytes = 16},
	{.source = "GCM specification, case 4", AEAD(GCM), .key = GCM_KEY_128, .iv = GCM_IV,
	 .aad = GCM_AAD, .in = GCM_60,
	 .out = "42831ec2217774244b7221b784d0d49c e3aa212f2c02a4e035c17e2329aca12e"
		"21d514b25466931c7d8f6a5aac84aa05 1ba30b396a0aac973d58e091"
		"5bc94fbc3221a5db94fae95ae7121a47",
	 .tag_bytes = 16},
	{.source = "GCM specification, case 1", AEAD(GCM), .key = "00*16", .iv = "00*12",
	 .out = "58e2fccefa7e3061367f1d57a4e7455a", .tag_bytes = 16},
	{.source = "GCM specification, case 10", AEAD(GCM), .key = GCM_KEY_192, .iv = GCM_IV,
	 .aad = GCM_AAD, .in = GCM_60,
	 .out = "3980ca0b3c00e841eb06fac4872a2757 859e1ceaa6efd984628593b40ca1e19c"
		"7d773d00c144c525ac619d18c84a3f47 18e2448b2fe324d9ccda2710"
		"2519498e80f1478f37ba55bd6d27618c",
	 .tag_bytes = 16},
	{.source = "GCM specification, case 16", AEAD(GCM), .key = GCM_KEY_256, .iv = GCM_IV,
	 .aad = GCM_AAD, .in = GCM_60,
	 .out = "522dc1f099567d07f47f37a32a84427d 643a8cdcbfe5c0c97598a2bd2555d1aa"
		"8cb08e48590dbb3da7b08b1056828838 c5f61e6393ba7a0abcc9f662"
		"76fc6ece0f4e1768cddf8853bb2d551b",
	 .tag_bytes = 16},

	{.source = "SP 800-38C C.1", AEAD(CCM), .key = "404142434445464748494a4b4c4d4e4f",
	 .iv = "10111213141516", .aad = "0001020304050607", .in = "20212223",
	 .out = "7162015b 4dac255d", .tag_bytes = 4},
	{.source = "SP 800-38C C.2", AEAD(CCM), .key = "404142434445464748494a4b4c4d4e4f",
	 .iv = "1011121314151617", .aad = "000102030405060708090a0b0c0d0e0f",
	 .in = "202122232425262728292a2b2c2d2e2f",
	 .out = "d2a1f0e051ea5f62081a7792073d593d 1fc64fbfaccd", .tag_bytes = 6},
	{.source = "SP 800-38C C.3", AEAD(CCM), .key = "404142434445464748494a4b4c4d4e4f",
	 .iv = "101112131415161718191a1b",
	 .aad = "000102030405060708090a0b0c0d0e0f10111213",
	 .in = "202122232425262728292a2b2c2d2e2f3031323334353637",
	 .out = "e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5 484392fbc1b09951",
	 .tag_bytes = 8},
	{.source = "RFC 3610, packet vector 1", AEAD(CCM),
	 .key = "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf",
	 .iv = "00000003020100a0a1a2a3a4a5", .aad = "0001020304050607",
	 .in = "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e",
	 .out = "588c979a61c663d2f066d0c2c0f989806d5f6b61dac384 17e8d12cfdf926e0",
	 .tag_bytes = 8},
	{.source = "RFC 3610, packet vector 7", AEAD(CCM),
	 .key = "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf",
	 .iv = "00000009080706a0a1a2a3a4a5", .aad = "0001020304050607",
	 .in = "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e",
	 .out = "0135d1b2c95f41d5d1d4fec185d166b8094e999dfed96c 048c56602c97acbb7490",
	 .tag_bytes = 10},

	{.source = "RFC 8439 2.8.2", AEAD(CHACHA20_POLY1305),
	 .key = "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
	 .iv = "070000004041424344454647", .aad = "50515253c0c1c2c3c4c5c6c7",
	 .in = "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f6620273939"
	       "3a204966204920636f756c64206f6666657220796f75206f6e6c79206f6e652074697020666f7220"
	       "746865206675747572652c2073756e73637265656e20776f756c642062652069742e",
	 .out = "d31a8d34648e60db7b86afbc53ef7ec2 a4aded51296e08fea9e2b5a736ee62d6"
		"3dbea45e8ca9671282fafb69da92728b 1a71de0a9e060b2905d6a5b67ecd3b36"
		"92ddbd7f2d778b8c9803aee328091b58 fab324e4fad675945585808b4831d7bc"
		"3ff4def08e4b7a9de576d26586cec64b 6116 1ae10b594f09e26a7e902ecbd0600691",
	 .tag_bytes = 16},
};

const unsigned crypto_nr_vectors = sizeof(crypto_vectors) / sizeof(crypto_vectors[0]);

static void __attribute__((noreturn))
die(const char *what, const char *words)
{
	fprintf(stderr, "crypto_vectors: %s: %s\n", what, words);
	abort();
}

/* One word's bytes at `bytes`; *words is behind it afterwards. */
static uint32_t
word_bytes(const char **words, uint8_t *bytes, uint32_t max_bytes)
{
	const char *w = *words;
	uint32_t n = 0;

	if (*w == '\'') {
		for (w++; *w != '\'' && *w != '\0' && n < max_bytes; w++)
			bytes[n++] = (uint8_t)*w;
		if (*w++ != '\'')
			die("text does not end or fit", *words);
	} else {
		for (; isxdigit((unsigned char)w[0]) && n < max_bytes; w += 2) {
			const char pair[] = {w[0], w[1], '\0'};
			char *end;

			bytes[n++] = (uint8_t)strtoul(pair, &end, 16);
			if (*end != '\0')
				die("half a byte", *words);
		}
		if (w == *words || isxdigit((unsigned char)w[0]))
			die("neither digits nor text, or too long", *words);
	}
	*words = w;
	return n;
}

uint32_t
crypto_vector_bytes(const char *words, uint8_t *bytes, uint32_t max_bytes)
{
	uint32_t n = 0;

	for (const char *w = words; w != NULL && *w != '\0';) {
		uint32_t len, times = 1;
		char *end;

		if (*w == ' ') {
			w++;
			continue;
		}
		len = word_bytes(&w, bytes + n, max_bytes - n);
		if (*w == '*') {
			times = (uint32_t)strtoul(w + 1, &end, 10);
			w = end;
		}
		if ((uint64_t)len * times > max_bytes - n)
			die("too long", words);
		for (uint32_t i = 1; i < times; i++)
			memcpy(bytes + n + i * len, bytes + n, len);
		n += len * times;
	}
	return n;
}
