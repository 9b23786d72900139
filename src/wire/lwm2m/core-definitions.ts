/**
 * OMA's own objects, 0 to 7, 19 and 20 (registry of the Open Mobile Alliance; TS 1.0.2 appendix E, TS-Core 1.1
 * appendix E; where versions of an object differ, the newest that a device can have). Names, numbers and types only. A line: id, operations, type, name; `!` mandatory, `*` multiple.
 */
export const CORE_OBJECTS = `
# 0 LwM2M Security *!
0 - string! LwM2M Server URI
1 - boolean! Bootstrap-Server
2 - integer! Security Mode
3 - opaque! Public Key or Identity
4 - opaque! Server Public Key
5 - opaque! Secret Key
6 - integer SMS Security Mode
7 - opaque SMS Binding Key Parameters
8 - opaque SMS Binding Secret Key(s)
9 - string LwM2M Server SMS Number
10 - integer Short Server ID
11 - integer Client Hold Off Time [s]
12 - integer Bootstrap-Server Account Timeout [s]
13 - unsigned Matching Type
14 - string SNI
15 - unsigned Certificate Usage
16 - unsigned* DTLS/TLS Ciphersuite
17 - objlnk OSCORE Security Mode
# 1 LwM2M Server *!
0 R integer! Short Server ID
1 RW integer! Lifetime [s]
2 RW integer Default Minimum Period [s]
3 RW integer Default Maximum Period [s]
4 E - Disable
5 RW integer Disable Timeout [s]
6 RW boolean! Notification Storing When Disabled or Offline
7 RW string! Binding
8 E -! Registration Update Trigger
9 E - Bootstrap-Request Trigger
10 RW objlnk APN Link
11 R unsigned TLS-DTLS Alert Code
12 R time Last Bootstrapped
13 R unsigned Registration Priority Order
14 RW unsigned Initial Registration Delay Timer [s]
15 R boolean Registration Failure Block
16 R boolean Bootstrap on Registration Failure
17 RW unsigned Communication Retry Count
18 RW unsigned Communication Retry Timer [s]
19 RW unsigned Communication Sequence Delay Timer [s]
20 RW unsigned Communication Sequence Retry Count
21 RW boolean Trigger
22 RW string Preferred Transport
23 RW boolean Mute Send
24 RW objlnk* Alternate APN Links
25 RW string* Supported Server Versions
26 RW integer Default Notification Mode
27 RW unsigned Profile ID Hash Algorithm
# 2 LwM2M Access Control *
0 R integer! Object ID
1 R integer! Object Instance ID
2 RW integer* ACL
3 RW integer! Access Control Owner
# 3 Device !
0 R string Manufacturer
1 R string Model Number
2 R string Serial Number
3 R string Firmware Version
4 E -! Reboot
5 E - Factory Reset
6 R integer* Available Power Sources
7 R integer* Power Source Voltage [mV]
8 R integer* Power Source Current [mA]
9 R integer Battery Level [%]
10 R integer Memory Free [KB]
11 R integer!* Error Code
12 E - Reset Error Code
13 RW time Current Time
14 RW string UTC Offset
15 RW string Timezone
16 R string! Supported Binding and Modes
17 R string Device Type
18 R string Hardware Version
19 R string Software Version
20 R integer Battery Status
21 R integer Memory Total [KB]
22 R objlnk* ExtDevInfo
# 4 Connectivity Monitoring
0 R integer! Network Bearer
1 R integer!* Available Network Bearer
2 R integer! Radio Signal Strength [dBm]
3 R integer Link Quality
4 R string!* IP Addresses
5 R string* Router IP Addresses
6 R integer Link Utilization [%]
7 R string* APN
8 R integer Cell ID
9 R integer SMNC
10 R integer SMCC
11 R integer Signal SNR [dB]
12 R integer LAC
13 R integer Coverage Enhancement Level
# 5 Firmware Update
0 W opaque! Package
1 RW string! Package URI
2 E -! Update
3 R integer! State
5 R integer! Update Result
6 R string PkgName
7 R string PkgVersion
8 R integer* Firmware Update Protocol Support
9 R integer! Firmware Update Delivery Method
10 E - Cancel
11 RW integer Severity
12 R time Last State Change Time
13 RW unsigned Maximum Defer Period [s]
# 6 Location
0 RW float! Latitude [deg]
1 RW float! Longitude [deg]
2 RW float Altitude [m]
3 R float Radius [m]
4 R opaque Velocity
5 R time! Timestamp
6 R float Speed [m/s]
8 RW float Expected Latitude [deg]
9 RW float Expected Longitude [deg]
10 RW float Expected Altitude [m]
11 RW float Location Change Threshold [m]
12 R boolean Location Changed
# 7 Connectivity Statistics
0 R integer SMS Tx Counter
1 R integer SMS Rx Counter
2 R integer Tx Data [KB]
3 R integer Rx Data [KB]
4 R integer Max Message Size [B]
5 R integer Average Message Size [B]
6 E -! Start
7 E -! Stop
8 RW integer Collection Period [s]
# 19 BinaryAppDataContainer *
0 RW opaque!* Data
1 RW integer Data Priority
2 RW time Data Creation Time
3 RW string Data Description
4 RW string Data Format
5 RW integer App ID
# 20 Event Log *
4010 RW integer LogClass
4011 E - LogStart
4012 E - LogStop
4013 R integer LogStatus
4014 R opaque! LogData
4015 RW integer LogDataFormat
4016 - opaque LogDataIncremental
4017 RW unsigned LogDataIncrementalMinimumSendInterval [s]
`;
