/** What 1.7.1 and 1.7.2 can be asked for, in the order of their tables. */
export const NOTIFY_TYPES = {
  service: [
    ...["deviceAdded", "bindDevice", "deviceInfoChanged", "deviceDataChanged", "deviceDatasChanged"],
    ...["deviceCapabilitiesChanged", "deviceCapabilitiesAdded", "deviceCapabilitiesDeleted", "deviceDeleted"],
    ...["messageConfirm", "commandRsp", "ruleEvent", "deviceDesiredPropertiesModifyStatusChanged"],
  ],
  management: [
    ...["swUpgradeStateChangeNotify", "swUpgradeResultNotify", "fwUpgradeStateChangeNotify", "fwUpgradeResultNotify"],
  ],
};
